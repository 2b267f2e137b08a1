/** As much JSON as the tests read: objects are maps, lists are lists, numbers are Long. */
class Json private constructor(private val text: String) {
    private var at = 0

    companion object {
        fun parse(text: String): Any? = Json(text).run {
            val value = value()
            blank()
            check(at == text.length) { "something behind the value at $at" }
            value
        }
    }

    private fun blank() {
        while (at < text.length && text[at].isWhitespace()) at++
    }

    private fun value(): Any? {
        blank()
        return when (text[at]) {
            '{' -> items('}') { key() to value() }.toMap()
            '[' -> items(']') { value() }
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun <T> items(end: Char, item: () -> T): List<T> {
        val all = ArrayList<T>()
        at++
        blank()
        if (text[at] == end) {
            at++
            return all
        }
        while (true) {
            all.add(item())
            blank()
            val next = text[at++]
            if (next == end) return all
            check(next == ',') { "$next at $at" }
        }
    }

    private fun key(): String {
        blank()
        val key = string()
        blank()
        check(text[at++] == ':')
        return key
    }

    private fun string(): String {
        val out = StringBuilder()
        at++
        while (text[at] != '"') {
            val char = text[at++]
            if (char != '\\') {
                out.append(char)
                continue
            }
            when (val escaped = text[at++]) {
                'n' -> out.append('\n')
                'r' -> out.append('\r')
                't' -> out.append('\t')
                'b' -> out.append('\b')
                'f' -> out.append('\u000c')
                'u' -> {
                    out.append(text.substring(at, at + 4).toInt(16).toChar())
                    at += 4
                }
                else -> out.append(escaped)
            }
        }
        at++
        return out.toString()
    }

    private fun <T> word(word: String, value: T): T {
        check(text.startsWith(word, at)) { "no $word at $at" }
        at += word.length
        return value
    }

    private fun number(): Long {
        val start = at
        while (at < text.length && (text[at] == '-' || text[at].isDigit())) at++
        return text.substring(start, at).toLong()
    }
}
