import java.io.File
import java.lang.reflect.Modifier
import mailkeep.ArchiveRule
import mailkeep.Mailkeep
import mailkeep.MessageRow

private const val PAGE = 37
private const val CHUNK = 1_000
private const val BEFORE = 1_768_780_800_000L

private fun snake(name: String) = name.replace(Regex("(?<=[a-z0-9])[A-Z]")) { "_" + it.value }

/** A value of the API as JSON has it. */
fun plain(value: Any?): Any? = when (value) {
    null, is String, is Boolean, is Long -> value
    is Int -> value.toLong()
    is ByteArray -> hex(value)
    is Enum<*> -> value.name
    is List<*> -> value.map(::plain)
    is MessageRow -> value.javaClass.methods.filter { it.name.startsWith("get") && it.declaringClass == value.javaClass }
        .associate { snake(it.name.removePrefix("get")).lowercase().removePrefix("_") to plain(it.invoke(value)) }
    else -> {
        val type = value.javaClass
        val fields = type.declaredFields.filter { !Modifier.isStatic(it.modifiers) }.associate {
            it.isAccessible = true
            snake(it.name).lowercase() to plain(it.get(value))
        }
        val variant = type.enclosingClass != null && type.superclass == type.enclosingClass
        if (variant) mapOf("is" to snake(type.simpleName).uppercase()) + fields else fields
    }
}

private fun digest(octets: ByteArray?) = octets?.let { mapOf("octets" to it.size.toLong(), "sha256" to sha256(it)) }

private fun message(store: Mailkeep, id: Long): Any {
    val found = store.message(id)
    equal(found.row, store.row(id), "the row alone and with its message")
    return mapOf(
        "message" to plain(found),
        "raw" to digest(raw(store, id, CHUNK)),
        "text" to digest(store.text(id)?.toByteArray()),
        "html" to digest(store.html(id)?.toByteArray()),
        "contents" to found.parts.map { digest(store.part(id, it.number)) },
    )
}

/** All pages, each read packed and as records. */
private fun pages(store: Mailkeep, mailbox: Long): List<List<MessageRow>> {
    val all = ArrayList<List<MessageRow>>()
    var cursor: ByteArray? = null
    do {
        val page = store.page(mailbox, cursor, PAGE)
        equal(plain(page), plain(store.engine.messages(mailbox, cursor, PAGE.toLong())), "records and packed rows")
        page.rows.forEach(::asAValue)
        all.add(page.rows)
        cursor = page.next
    } while (cursor != null)
    return all
}

/** A row is a value: one that was packed here of what it tells is equal to it. */
private fun asAValue(row: MessageRow) {
    val made = MessageRow(
        row.id, row.mailbox, row.content, row.uid, row.flags, row.pending, row.internalDate, row.size, row.sha256, row.fromFirst,
        row.toFirst, row.subject, row.dateMs, row.messageId, row.preview, row.attachments, row.degraded, row.structured,
    )
    equal(made, row)
    equal(made.hashCode(), row.hashCode())
    equal(plain(made), plain(row))
    val other = MessageRow(row.id, row.mailbox, row.content, row.uid, row.flags + "other", row.pending, row.internalDate)
    holds(other != row) { "it tells something else" }
}

private fun readout(store: Mailkeep): Map<String, Any?> {
    val accounts = store.accounts()
    val mailboxes = accounts.flatMap { store.mailboxes(it.id) }
    val pages = mailboxes.flatMap { box -> pages(store, box.id).map { box.id to it } }
    return mapOf(
        "accounts" to plain(accounts),
        "mailboxes" to plain(mailboxes),
        "pages" to pages.map { (mailbox, rows) -> mapOf("mailbox" to mailbox, "rows" to plain(rows)) },
        "messages" to pages.flatMap { it.second }.map { message(store, it.id) },
        "archive" to plain(accounts.flatMap { store.planArchive(it.id, ArchiveRule.ReceivedBefore(BEFORE)) }),
        "pending" to plain(store.pending()),
        "changes" to plain(store.changesSince(0)),
        "new_mail" to plain(store.newMail(1_000)),
        "stats" to plain(store.stats()),
        "verify" to plain(store.verify()),
        "incarnation" to store.incarnation,
    )
}

fun fixture(world: World) {
    val path = world.path()
    File(world.fixture, "mail.redb").copyTo(File(path))
    val wanted = Json.parse(File(world.fixture, "readout.json").readText()) as Map<*, *>
    val read = Mailkeep.open(path, create = false).use(::readout)
    for ((name, value) in wanted) {
        if (value is List<*>) {
            value.zip(read[name] as List<*>).forEachIndexed { at, (theirs, mine) -> equal(mine, theirs, "$name $at") }
        }
        equal(read[name], value, "$name")
    }
    equal(read.keys, wanted.keys)
    holds((read["messages"] as List<*>).size > 300) { "too few messages" }
}
