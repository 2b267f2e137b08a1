package mailkeep

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A page of rows as one packed buffer, read where it is asked. The layout is described in the engine's module `packed`. */
internal class PackedPage(private val octets: ByteArray) {
    private val numbers = ByteBuffer.wrap(octets).order(ByteOrder.LITTLE_ENDIAN)
    private val width: Int
    private val count: Int
    private val textsAt: Int

    init {
        val version = short(0)
        check(version == VERSION) { "a packed page of layout $version, where $VERSION is known" }
        width = short(2)
        count = numbers.getInt(4)
        textsAt = HEAD + width * count
        check(width >= ROW && textsAt + numbers.getInt(8) + numbers.getInt(12) == octets.size) { "a packed page that is cut" }
    }

    fun rows(): List<MessageRow> = List(count) { MessageRow(this, HEAD + width * it) }

    fun next(): ByteArray? =
        if (numbers.getInt(12) == 0) null else octets.copyOfRange(octets.size - numbers.getInt(12), octets.size)

    fun byte(at: Int): Int = octets[at].toInt() and 0xff

    fun short(at: Int): Int = numbers.getShort(at).toInt() and 0xffff

    fun int(at: Int): Long = numbers.getInt(at).toLong() and 0xffffffffL

    fun long(at: Int): Long = numbers.getLong(at)

    fun octets(at: Int, count: Int): ByteArray = octets.copyOfRange(at, at + count)

    /** Where the texts of a row begin. */
    fun textsOf(row: Int): Int = textsAt + numbers.getInt(row + TEXTS)

    /** Where something of a row's begins that a mark tells. */
    fun marked(row: Int, mark: Int): Int = textsOf(row) + numbers.getInt(row + mark)

    /** A text by where it begins and where the next one does. */
    fun text(from: Int, next: Int): String = String(octets, from, next - 1 - from, Charsets.UTF_8)

    /** Where the text behind the one that begins here does. */
    fun behind(from: Int): Int {
        var at = from
        while (octets[at] != 0.toByte()) at++
        return at + 1
    }

    /** Whether two rows tell the same, wherever their texts lie. */
    fun same(row: Int, other: PackedPage, otherRow: Int): Boolean =
        part(row, TEXTS) == other.part(otherRow, TEXTS) &&
            part(row + TEXTS + 4, ROW - TEXTS - 4) == other.part(otherRow + TEXTS + 4, ROW - TEXTS - 4) &&
            texts(row) == other.texts(otherRow)

    private fun texts(row: Int) = part(textsOf(row), numbers.getInt(row + END))

    private fun part(at: Int, count: Int) = ByteBuffer.wrap(octets, at, count)

    companion object {
        const val HEAD = 16
        const val VERSION = 1

        /** What is known of a row. A newer engine may tell more behind it. */
        const val ROW = 112

        // Where a row has what.
        const val ID = 0
        const val CONTENT = 8
        const val INTERNAL_DATE = 16
        const val DATE = 24
        const val SIZE = 32
        const val SHA256 = 40
        const val UID = 72
        const val MAILBOX = 76
        const val TEXTS = 80
        const val FLAGS = 84
        const val ATTACHMENTS = 86
        const val KEYWORDS = 88
        const val FROM = 90
        const val TO = 91
        const val STATE = 92
        const val PREVIEW = 96
        const val MESSAGE_ID = 100
        const val ADDRESSES = 104
        const val END = 108

        // The bits of the state.
        const val PENDING = 1
        const val HASHED = 2
        const val DEGRADED = 4
        const val STRUCTURED = 8
        const val DATED = 16
    }
}

/** Flags that have a bit, by their spelling on the wire. */
internal object NamedFlags {
    private val names: List<String> by lazy { namedFlags() }
    private val sets = arrayOfNulls<List<String>>(1 shl 10)

    /** Those whose bits are set. There are few sets, so that each is made once. */
    fun of(bits: Int): List<String> = sets.getOrNull(bits) ?: named(bits).also { if (bits < sets.size) sets[bits] = it }

    private fun named(bits: Int): List<String> = names.filterIndexed { bit, _ -> bits shr bit and 1 != 0 }

    /** The bit of a word; 0 where it is a keyword without one. */
    fun bit(word: String): Int {
        val bit = names.indexOfFirst { it.equals(word, ignoreCase = true) }
        return if (bit < 0) 0 else 1 shl bit
    }
}
