import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import mailkeep.Changes
import mailkeep.GoneException
import mailkeep.MailList
import mailkeep.Mailkeep
import mailkeep.MessageRow
import mailkeep.OperationState
import mailkeep.Role

private fun draft(subject: String) =
    "From: me@example.org\r\nTo: you@example.org\r\nSubject: $subject\r\n\r\n$subject\r\n".toByteArray()

fun offlineWork(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 20, 7, 2_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        world.sync(store, account)
        val before = world.server.imapRows(user)
        val inbox = mailbox(store, account, "INBOX")
        val rows = store.rows(inbox.id).toList()
        val ids = rows.map { it.id }

        equal(store.setFlags(ids.subList(0, 3), listOf("\\Flagged", "todo"), listOf("\\Seen")), 3L)
        equal(store.replaceFlags(ids.subList(3, 4), listOf("\$Forwarded")), 1L)
        equal(store.move(ids.subList(4, 6), store.createMailbox(account, "Archive")), 2L)
        val project = store.createMailbox(account, "Pröject & more")
        equal(store.copy(ids.subList(6, 8), project).size, 2)
        equal(store.delete(ids.subList(8, 9)), 1L)
        equal(store.expunge(ids.subList(9, 10)), 1L)
        equal(store.archive(ids.subList(10, 11)), 1L)
        val local = store.createMailbox(account, "Here only", local = true)
        equal(store.move(ids.subList(11, 12), local), 1L)
        val drafts = store.mailboxes(account).find { it.role == Role.DRAFTS }?.id
            ?: store.createMailbox(account, "Drafts", role = Role.DRAFTS)
        var note = store.append(drafts, draft("first try"), listOf("\\Draft"))
        note = store.replaceDraft(note, draft("second try"))
        store.renameMailbox(project, "Projekte/Neu")

        val shown = store.rows(inbox.id).associateBy { it.id }
        for (id in ids.subList(0, 3)) {
            val flags = shown.getValue(id).flags
            holds("\\Flagged" in flags && "todo" in flags && "\\Seen" !in flags) { flags }
        }
        holds(ids.subList(0, 4).all { shown.getValue(it).pending }) { shown }
        equal(shown.size, 14)
        val kinds = store.pending(account).map { it.kind.javaClass.simpleName }.toSet()
        holds(kinds.containsAll(setOf("SetFlags", "Move", "Copy", "Append", "CreateMailbox"))) { kinds }
        equal(world.server.imapRows(user), before, "the server has heard nothing")

        val summary = world.sync(store, account)
        holds(summary.operationsReplayed > 0) { summary }
        equal(summary.operationsSetAside, 0L)
        equal(store.pending(), emptyList<Any>())

        val there = world.server.imapRows(user)
        val byHash = there.groupBy { it["sha256"] as String }
        val hashes = rows.map { hex(it.sha256!!) }
        for (hash in hashes.subList(0, 3)) {
            val flags = byHash.getValue(hash).single()["flags"] as List<*>
            holds("\\flagged" in flags && "todo" in flags && "\\seen" !in flags) { flags }
        }
        equal(byHash.getValue(hashes[3]).single()["flags"], listOf("\$forwarded"))
        val places = { hash: String -> byHash[hash].orEmpty().map { it["mailbox"] as String }.sorted() }
        for (hash in hashes.subList(4, 6) + hashes[10]) equal(places(hash), listOf("Archive"))
        for (hash in hashes.subList(6, 8)) equal(places(hash), listOf("INBOX", "Projekte/Neu"))
        equal(places(hashes[8]), listOf("Trash"))
        equal(places(hashes[9]), emptyList<String>())
        equal(places(hashes[11]), emptyList<String>(), "what is kept here only")
        holds(raw(store, ids[11]) != null) { "it is here" }
        equal(there.count { it["mailbox"] == "Drafts" }, 1, "drafts")
        equal(store.message(note).row.subject, "second try")
        equal(world.sync(store, account).operationsReplayed, 0L)
        equal(store.verify().problems, emptyList<String>())
    }
}

fun takeBack(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 8, 1_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        world.sync(store, account)
        val before = world.server.imapRows(user)
        val inbox = mailbox(store, account, "INBOX")
        val rows = store.rows(inbox.id).toList()
        store.setFlags(listOf(rows[0].id), listOf("later"))
        store.expunge(listOf(rows[1].id))
        equal(store.pending().size, 2)
        for (operation in store.pending()) {
            equal(operation.state, OperationState.Waiting)
            store.cancelOperation(operation.id)
        }
        equal(store.pending(), emptyList<Any>())
        equal(plain(store.rows(inbox.id).toList()), plain(rows))
        world.sync(store, account)
        equal(world.server.imapRows(user), before)
        equal(throws<GoneException> { store.cancelOperation(1L shl 40) }.code, 200)
    }
}

/** A list on a screen that follows the feed by [MailList], loaded page by page. */
fun changeFeed(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 30, 9, 1_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        world.sync(store, account)
        val inbox = mailbox(store, account, "INBOX").id
        val ids = store.rows(inbox).map { it.id }.toList()
        val list = MailList(store, inbox, pageSize = 7)
        runBlocking(Dispatchers.Default) {
            while (list.state.value.more) list.loadMore()
            shows(list, store, inbox, "at first")
            equal(list.state.value.rows.size, 30)
            val following = launch { list.follow() }
            val actions = listOf<() -> Unit>(
                { store.setFlags(ids.take(5), listOf("todo")) },
                { store.delete(ids.subList(3, 9)) },
                { store.append(inbox, draft("new here")) },
                { store.markAllRead(inbox) },
                { world.sync(store, account) },
                { store.emptyMailbox(inbox) },
            )
            actions.forEachIndexed { number, action ->
                action()
                shows(list, store, inbox, "after action $number")
            }
            equal(list.state.value.rows, emptyList<MessageRow>())
            following.cancelAndJoin()
        }
        holds(store.changesSince(1L shl 50) is Changes.TooOld) { "a commit that was never made" }
    }
}

private suspend fun shows(list: MailList, store: Mailkeep, mailbox: Long, what: String) {
    val wanted = plain(store.rows(mailbox).toList())
    withTimeoutOrNull(5_000) {
        while (plain(list.state.value.rows) != wanted) delay(5)
    }
    equal(plain(list.state.value.rows), wanted, what)
}
