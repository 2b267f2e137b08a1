package mailkeep

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Packs one row as a page of its own. */
internal class PackedRow {
    private val row = ByteBuffer.allocate(PackedPage.ROW).order(ByteOrder.LITTLE_ENDIAN)
    private val texts = ByteArrayOutputStream()
    private var state = 0

    fun long(at: Int, value: Long) = apply { row.putLong(at, value) }

    fun int(at: Int, value: Long) = apply { row.putInt(at, value.toInt()) }

    fun short(at: Int, value: Int) = apply { row.putShort(at, value.toShort()) }

    fun bit(bit: Int, on: Boolean) = apply { if (on) state = state or bit }

    fun hash(octets: ByteArray?) = apply {
        require(octets == null || octets.size == 32) { "a SHA-256 of ${octets?.size} octets" }
        octets?.forEachIndexed { at, octet -> row.put(PackedPage.SHA256 + at, octet) }
        bit(PackedPage.HASHED, octets != null)
    }

    fun flags(words: List<String>) = apply {
        val (keywords, named) = words.partition { NamedFlags.bit(it) == 0 }
        short(PackedPage.FLAGS, named.fold(0) { bits, word -> bits or NamedFlags.bit(word) })
        short(PackedPage.KEYWORDS, keywords.size)
        keywords.forEach(::text)
    }

    fun addresses(from: List<Address>, to: List<Address>) = apply {
        mark(PackedPage.ADDRESSES)
        row.put(PackedPage.FROM, from.size.toByte()).put(PackedPage.TO, to.size.toByte())
        for (address in from + to) text(address.name.orEmpty()).text(address.address)
    }

    /** Says where the next text begins. */
    fun mark(at: Int) = int(at, texts.size().toLong())

    fun text(text: String) = apply {
        texts.write(text.replace('\u0000', '\uFFFD').toByteArray())
        texts.write(0)
    }

    fun page(): PackedPage {
        mark(PackedPage.END)
        row.put(PackedPage.STATE, state.toByte())
        val page = ByteBuffer.allocate(PackedPage.HEAD + PackedPage.ROW + texts.size()).order(ByteOrder.LITTLE_ENDIAN)
        page.putShort(PackedPage.VERSION.toShort()).putShort(PackedPage.ROW.toShort())
        page.putInt(1).putInt(texts.size()).putInt(0)
        page.put(row).put(texts.toByteArray())
        return PackedPage(page.array())
    }
}
