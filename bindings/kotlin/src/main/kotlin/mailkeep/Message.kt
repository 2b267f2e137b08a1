package mailkeep

/** A page of rows, newest first. */
class MessagePage(
    /** The rows. */
    val rows: List<MessageRow>,
    /** Where the next page starts; null at the end. */
    val next: ByteArray?,
) {
    internal constructor(packed: PackedPage) : this(packed.rows(), packed.next())
}

/** One message with everything known of it but its bytes. */
data class Message(
    /** The row. */
    val row: MessageRow,
    /** Sender */
    val sender: List<Address>,
    /** Reply-To */
    val replyTo: List<Address>,
    /** To */
    val to: List<Address>,
    /** Cc */
    val cc: List<Address>,
    /** Bcc */
    val bcc: List<Address>,
    /** In-Reply-To, without angle brackets. */
    val inReplyTo: List<String>,
    /** References, without angle brackets: the first one and the newest ones, oldest first. */
    val references: List<String>,
    /** List-Id (RFC 2919), without angle brackets. */
    val listId: String?,
    /** Parts in the order of the message. Multiparts are not among them, their parts are. */
    val parts: List<Part>,
    /** [parts] are all there are, and their sizes are right. */
    val partsComplete: Boolean,
) {
    internal constructor(whole: EngineMessage) : this(
        MessageRow(whole.row), whole.sender, whole.replyTo, whole.to, whole.cc, whole.bcc, whole.inReplyTo, whole.references,
        whole.listId, whole.parts, whole.partsComplete,
    )
}
