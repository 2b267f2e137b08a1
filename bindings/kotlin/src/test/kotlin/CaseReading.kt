import java.util.Base64
import mailkeep.Accounts
import mailkeep.BodyPolicy
import mailkeep.Event
import mailkeep.Keep
import mailkeep.MailboxKind
import mailkeep.Mailkeep
import mailkeep.RetentionReason

private val attached = ByteArray(256 * 300) { it.toByte() }

private fun withAttachment(): ByteArray {
    val lines = Base64.getMimeEncoder().encodeToString(attached)
    return (
        "From: a@example.org\r\nSubject: attached\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
            "--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: application/octet-stream\r\n" +
            "Content-Disposition: attachment; filename=\"all octets.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
            "$lines\r\n--b--\r\n"
        ).toByteArray()
}

fun offlineSync(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 120, 3, 5_000)
    world.server.ask("fill", user, "Lists/Deep er", 30, 4, 3_000)
    val there = world.server.imapRows(user)
    equal(there.size, 150)
    val path = world.path()
    val account = Mailkeep.open(path).use { store ->
        val account = world.imap(store, user)
        equal(world.sync(store, account).messagesAdded, 150L)
        equal(world.sync(store, account).messagesAdded, 0L, "a second sync")
        account
    }
    world.server.ask("stop")
    try {
        Mailkeep.open(path, create = false).use { store ->
            equal(seen(store, account), there)
            equal(store.verify().problems, emptyList<String>())
        }
    } finally {
        world.server.ask("start")
    }
    // The same from Java.
    val settings = Accounts.imap(user, "localhost", user).copy(port = world.server.imaps)
    val subjects = JavaHost.subjects(world.path(), settings, world.tls)
    Mailkeep.open(path, create = false).use { store ->
        equal(subjects, store.page(mailbox(store, account, "INBOX").id).rows.map { it.subject })
    }
}

@Suppress("UNCHECKED_CAST")
private fun maildrop(world: World, user: String) =
    (world.server.ask("pop3", user, "secret") as Map<String, String>).values.sorted()

fun pop3(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 25, 5, 4_000)
    val there = maildrop(world, user)
    Mailkeep.open(world.path()).use { store ->
        val account = world.pop3(store, user)
        equal(world.sync(store, account).messagesAdded, 25L)
        val inbox = mailbox(store, account, "INBOX")
        equal(inbox.kind, MailboxKind.POP_INBOX)
        val rows = store.rows(inbox.id).toList()
        equal(rows.map { hex(it.sha256!!) }.sorted(), there)
        equal(store.retentionPlan(account), emptyList<Any>())
        equal(world.sync(store, account).messagesAdded, 0L)

        store.updateAccount(account, store.account(account).settings.copy(keep = Keep.UntilDeletedHere))
        store.expunge(rows.take(10).map { it.id })
        val plan = store.retentionPlan(account)
        equal(plan.size, 10)
        holds(plan.all { it.why == RetentionReason.DeletedHere && it.uidl.isNotEmpty() && it.size > 0 }) { plan }
        world.sync(store, account)
        equal(maildrop(world, user), rows.drop(10).map { hex(it.sha256!!) }.sorted())
        store.updateAccount(account, store.account(account).settings.copy(keep = Keep.Delete))
        holds(store.retentionPlan(account).all { it.why == RetentionReason.Here }) { store.retentionPlan(account) }
        world.sync(store, account)
        equal(maildrop(world, user), emptyList<String>())
        equal(store.rows(inbox.id).count(), 15, "what was deleted there is here")
        equal(store.verify().problems, emptyList<String>())
    }
}

fun attachment(world: World) {
    val user = world.server.user()
    val raw = withAttachment()
    world.server.deliver(user, "INBOX", raw)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user, BodyPolicy.OnDemand)
        world.sync(store, account)
        val row = store.rows(mailbox(store, account, "INBOX").id).first()
        equal(listOf(row.attachments, row.structured, row.sha256), listOf(1, true, null))
        equal(raw(store, row.id), null)
        val part = store.message(row.id).parts.first { it.isAttachment }
        equal(listOf(part.safeFileName, part.mediaType), listOf("all octets.bin", "application/octet-stream"))

        world.connect(store, account).use { connection ->
            connection.wishFetch(row.id, part.number)
            connection.wishLogout()
            connection.runBlocking(world.transport(store, account))
        }
        holds(store.part(row.id, part.number).contentEquals(attached)) { "the part differs" }
        equal(raw(store, row.id), null, "the rest was not brought")

        val opened = ArrayList<Event>()
        val request = world.connect(store, account).use { connection ->
            val request = connection.wishFetch(row.id)
            connection.wishLogout()
            connection.runBlocking(world.transport(store, account)) { opened.add(it) }
            request
        }
        holds(Event.Opened(request, row.id) in opened) { opened }
        holds(raw(store, row.id, CHUNK).contentEquals(raw)) { "the message differs" }
        holds(store.body(row.id, raw.size - 5L, 100).contentEquals(raw.copyOfRange(raw.size - 5, raw.size))) { "its end" }
        equal(store.body(row.id, raw.size + 5L, 100)?.size, 0)
        holds(store.part(row.id, part.number).contentEquals(attached)) { "the part differs" }
        equal(store.part(row.id, "7"), null)
        val evicted = store.evictBodies(0)
        equal(listOf(evicted.messages, evicted.octets), listOf(1L, raw.size.toLong()))
        equal(raw(store, row.id), null)
    }
}

private const val CHUNK = 1_000
