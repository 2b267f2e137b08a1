package mailkeep

/**
 * A row of a message list.
 *
 * A row from the store is a place in the page that it came with: a field is read when you ask for it, and a row that is kept keeps
 * its page. Rows are values: two are equal where all their fields are.
 */
class MessageRow internal constructor(private val page: PackedPage, private val at: Int) {
    /** A row of your own, for a preview of a screen or a test. */
    constructor(
        id: Long,
        mailbox: Long,
        content: Long = 0,
        uid: Long = 0,
        flags: List<String> = emptyList(),
        pending: Boolean = false,
        internalDate: Long = 0,
        size: Long = 0,
        sha256: ByteArray? = null,
        fromFirst: List<Address> = emptyList(),
        toFirst: List<Address> = emptyList(),
        subject: String = "",
        dateMs: Long? = null,
        messageId: String? = null,
        preview: String = "",
        attachments: Int = 0,
        degraded: Boolean = false,
        structured: Boolean = false,
    ) : this(
        PackedRow()
            .long(PackedPage.ID, id).long(PackedPage.CONTENT, content).long(PackedPage.SIZE, size)
            .long(PackedPage.INTERNAL_DATE, internalDate).long(PackedPage.DATE, dateMs ?: 0)
            .int(PackedPage.UID, uid).int(PackedPage.MAILBOX, mailbox).short(PackedPage.ATTACHMENTS, attachments)
            .bit(PackedPage.PENDING, pending).bit(PackedPage.DEGRADED, degraded).bit(PackedPage.STRUCTURED, structured)
            .bit(PackedPage.DATED, dateMs != null).hash(sha256)
            .text(subject).mark(PackedPage.PREVIEW).text(preview).mark(PackedPage.MESSAGE_ID).text(messageId.orEmpty())
            .flags(flags).addresses(fromFirst, toFirst).page(),
        PackedPage.HEAD,
    )

    internal constructor(row: EngineMessageRow) : this(
        row.id, row.mailbox, row.content, row.uid, row.flags, row.pending, row.internalDate, row.size, row.sha256,
        row.fromFirst, row.toFirst, row.subject, row.dateMs, row.messageId, row.preview, row.attachments, row.degraded,
        row.structured,
    )

    /** Its id; stays when it moves. */
    val id: Long get() = page.long(at + PackedPage.ID)

    /** Its mailbox. */
    val mailbox: Long get() = page.int(at + PackedPage.MAILBOX)

    /** Its content, shared by every message that has the same. */
    val content: Long get() = page.long(at + PackedPage.CONTENT)

    /** The server's handle, or 0 where it has none. */
    val uid: Long get() = page.int(at + PackedPage.UID)

    /** Flags and keywords as a person should see them, by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`). */
    val flags: List<String>
        get() {
            val named = NamedFlags.of(page.short(at + PackedPage.FLAGS))
            val keywords = page.short(at + PackedPage.KEYWORDS)
            return if (keywords == 0) named else named + texts(page.behind(page.marked(at, PackedPage.MESSAGE_ID)), keywords)
        }

    /** Whether something was done to it that the server has not confirmed. */
    val pending: Boolean get() = has(PackedPage.PENDING)

    /** INTERNALDATE in milliseconds since 1970. */
    val internalDate: Long get() = page.long(at + PackedPage.INTERNAL_DATE)

    /** RFC822.SIZE, or the true size once the message is here, in octets. */
    val size: Long get() = page.long(at + PackedPage.SIZE)

    /** SHA-256 of the raw message, where it is here whole. */
    val sha256: ByteArray? get() = if (has(PackedPage.HASHED)) page.octets(at + PackedPage.SHA256, 32) else null

    /** From; the first four. */
    val fromFirst: List<Address>
        get() = addresses(page.marked(at, PackedPage.ADDRESSES), page.byte(at + PackedPage.FROM))

    /** To; the first four. A list of sent mail shows these. */
    val toFirst: List<Address>
        get() {
            var start = page.marked(at, PackedPage.ADDRESSES)
            repeat(2 * page.byte(at + PackedPage.FROM)) { start = page.behind(start) }
            return addresses(start, page.byte(at + PackedPage.TO))
        }

    /** Subject, decoded, on one line. */
    val subject: String get() = page.text(page.textsOf(at), page.marked(at, PackedPage.PREVIEW))

    /** The Date field in milliseconds since 1970; null where there is none to be read. */
    val dateMs: Long? get() = if (has(PackedPage.DATED)) page.long(at + PackedPage.DATE) else null

    /** Message-ID without the angle brackets. */
    val messageId: String?
        get() = texts(page.marked(at, PackedPage.MESSAGE_ID), 1)[0].ifEmpty { null }

    /** The first characters of what the sender wrote, on one line. */
    val preview: String
        get() = page.text(page.marked(at, PackedPage.PREVIEW), page.marked(at, PackedPage.MESSAGE_ID))

    /** Parts that are attachments. A guess unless [structured]. */
    val attachments: Int get() = page.short(at + PackedPage.ATTACHMENTS)

    /** The message could not be read fully. */
    val degraded: Boolean get() = has(PackedPage.DEGRADED)

    /** The parts are known, and so [attachments] is no guess. */
    val structured: Boolean get() = has(PackedPage.STRUCTURED)

    override fun equals(other: Any?): Boolean =
        this === other || other is MessageRow && page.same(at, other.page, other.at)

    override fun hashCode(): Int = id.hashCode()

    override fun toString(): String =
        "MessageRow(id=$id, mailbox=$mailbox, content=$content, uid=$uid, flags=$flags, pending=$pending, " +
            "internalDate=$internalDate, size=$size, fromFirst=$fromFirst, toFirst=$toFirst, subject=$subject, " +
            "dateMs=$dateMs, messageId=$messageId, preview=$preview, attachments=$attachments, degraded=$degraded, " +
            "structured=$structured)"

    private fun has(bit: Int) = page.byte(at + PackedPage.STATE) and bit != 0

    private fun texts(from: Int, count: Int): List<String> {
        var start = from
        return List(count) {
            val next = page.behind(start)
            page.text(start, next).also { start = next }
        }
    }

    private fun addresses(from: Int, count: Int): List<Address> {
        if (count == 0) return emptyList()
        var start = from
        val all = ArrayList<Address>(count)
        repeat(count) {
            val address = page.behind(start)
            val next = page.behind(address)
            all.add(Address(if (address - start == 1) null else page.text(start, address), page.text(address, next)))
            start = next
        }
        return all
    }
}
