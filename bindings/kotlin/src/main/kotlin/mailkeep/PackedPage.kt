package mailkeep

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Reads pages of rows from one packed buffer. The layout is described in the engine's module `packed`. */
internal object PackedPage {
    private const val HEAD = 16
    private const val VERSION = 1
    private const val PENDING = 1
    private const val HASHED = 2
    private const val DEGRADED = 4
    private const val STRUCTURED = 8
    private const val DATED = 16

    private val names: List<String> by lazy { namedFlags() }

    fun decode(packed: ByteArray): MessagePage {
        val buffer = ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN)
        val version = buffer.getShort(0).toInt()
        check(version == VERSION) { "a packed page of layout $version, where $VERSION is known" }
        val width = buffer.getShort(2).toInt() and 0xffff
        val count = buffer.getInt(4)
        val textsAt = HEAD + width * count
        val cursorAt = textsAt + buffer.getInt(8)
        val texts = Texts(packed, textsAt)
        val rows = ArrayList<MessageRow>(count)
        for (row in 0 until count) rows.add(row(buffer, HEAD + width * row, texts))
        val cursor = if (buffer.getInt(12) == 0) null else packed.copyOfRange(cursorAt, cursorAt + buffer.getInt(12))
        return MessagePage(rows, cursor)
    }

    private fun row(buffer: ByteBuffer, at: Int, texts: Texts): MessageRow {
        val state = buffer.get(at + 92).toInt()
        val subject = texts.next()
        val preview = texts.next()
        val messageId = texts.next().ifEmpty { null }
        val flags = named(buffer.getShort(at + 84).toInt() and 0xffff)
        repeat(buffer.getShort(at + 88).toInt() and 0xffff) { flags.add(texts.next()) }
        val from = addresses(buffer.get(at + 90).toInt() and 0xff, texts)
        val to = addresses(buffer.get(at + 91).toInt() and 0xff, texts)
        return MessageRow(
            id = buffer.getLong(at),
            mailbox = buffer.getInt(at + 76).toLong() and 0xffffffffL,
            content = buffer.getLong(at + 8),
            uid = buffer.getInt(at + 72).toLong() and 0xffffffffL,
            flags = flags,
            pending = state and PENDING != 0,
            internalDate = buffer.getLong(at + 16),
            size = buffer.getLong(at + 32),
            sha256 = if (state and HASHED != 0) ByteArray(32).also { buffer.duplicate().position(at + 40).get(it) } else null,
            fromFirst = from,
            toFirst = to,
            subject = subject,
            dateMs = if (state and DATED != 0) buffer.getLong(at + 24) else null,
            messageId = messageId,
            preview = preview,
            attachments = buffer.getShort(at + 86).toInt() and 0xffff,
            degraded = state and DEGRADED != 0,
            structured = state and STRUCTURED != 0,
        )
    }

    private fun ByteBuffer.get(into: ByteArray) = this.get(into, 0, into.size)

    private fun named(bits: Int): ArrayList<String> {
        val flags = ArrayList<String>(4)
        for (bit in names.indices) if (bits shr bit and 1 != 0) flags.add(names[bit])
        return flags
    }

    private fun addresses(count: Int, texts: Texts): List<Address> =
        List(count) { Address(texts.next().ifEmpty { null }, texts.next()) }

    /** The texts in their order, each up to its NUL. */
    private class Texts(private val packed: ByteArray, private var at: Int) {
        fun next(): String {
            val start = at
            while (packed[at] != 0.toByte()) at++
            return String(packed, start, at++ - start, Charsets.UTF_8)
        }
    }
}
