import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.system.exitProcess
import mailkeep.Accounts
import mailkeep.Credentials
import mailkeep.EngineConnection
import mailkeep.Event
import mailkeep.Mailkeep
import mailkeep.MessageRow
import mailkeep.Security
import mailkeep.connectionOptions

/** When everything happens: milliseconds since 1970. */
private const val WALL = 1_767_225_600_000L

/** Pages read in a run: rows, and how many pages. */
private val PAGES = listOf(50 to 4_000, 1_000 to 200)

/**
 * What the border costs: the same as `bindings/examples/border.rs`, from Kotlin.
 *
 * ```text
 * Border replay FILE STORE RUNS
 * Border pages STORE RUNS
 * ```
 *
 * The first runs warm the virtual machine up and are not told.
 */
fun main(words: Array<String>) = when {
    words.size == 4 && words[0] == "replay" -> replay(File(words[1]), words[2], words[3].toInt())
    words.size == 3 && words[0] == "pages" -> readPages(words[1], words[2].toInt())
    else -> {
        System.err.println("usage: Border replay FILE STORE RUNS | pages STORE RUNS")
        exitProcess(2)
    }
}

/** The process's CPU time in milliseconds: the collector's and the compiler's too. */
private fun cpu(): Long =
    (ManagementFactory.getOperatingSystemMXBean() as com.sun.management.OperatingSystemMXBean).processCpuTime / 1_000_000

/** Replays a recorded sync into new stores, the first to warm up. */
private fun replay(recording: File, path: String, runs: Int) {
    // As a socket's octets would be: where the engine can read them in place.
    val recorded = recording.inputStream().channel.use { it.map(FileChannel.MapMode.READ_ONLY, 0, it.size()) }
    for (run in 0..runs) {
        File(path).delete()
        Mailkeep.open(path).use { store ->
            val replayed = Run(store)
            val started = cpu()
            var closed = replayed.give(ByteBuffer.allocateDirect(0))
            val rest = recorded.duplicate().order(ByteOrder.LITTLE_ENDIAN)
            while (rest.hasRemaining()) {
                val count = rest.getInt()
                closed = replayed.give(rest.slice(rest.position(), count))
                rest.position(rest.position() + count)
            }
            val took = cpu() - started
            check(closed) { "the recording ended before the connection did" }
            if (run > 0) println("sync of ${store.stats().messages} messages: $took")
        }
    }
}

private fun readPages(path: String, runs: Int) = Mailkeep.open(path, create = false).use { store ->
    val mailbox = store.mailboxes(store.accounts()[0].id)[0].id
    for ((limit, times) in PAGES) for (read in listOf(false, true)) {
        // The compiler is busy for some seconds.
        repeat(WARM_UP) { pages(store, mailbox, limit, times, read) }
        repeat(runs) {
            val took = pages(store, mailbox, limit, times, read)
            println("page of $limit${if (read) ", each row shown" else ""}: $took")
        }
    }
}

private const val WARM_UP = 3

private fun pages(store: Mailkeep, mailbox: Long, limit: Int, times: Int, read: Boolean): Long {
    val started = cpu()
    var shown = 0
    repeat(times) {
        val rows = store.page(mailbox, limit = limit).rows
        check(rows.size == limit) { "${rows.size} rows" }
        if (read) rows.forEach { shown += show(it) }
    }
    check(!read || shown > 0) { "the rows show nothing" }
    return cpu() - started
}

/** Reads what a list shows of a row. */
private fun show(row: MessageRow): Int {
    val from = row.fromFirst.firstOrNull()
    val date = if (row.internalDate > 0) 1 else 0
    return (from?.name ?: from?.address.orEmpty()).length + row.subject.length + row.preview.length + row.flags.size + date
}

/** One connection's run, with a clock that goes on by a millisecond a step. */
private class Run(store: Mailkeep) {
    private val connection: EngineConnection
    private var steps = 0L

    init {
        val settings = Accounts.imap("bench", "localhost", "bench")
        val account = store.addAccount(settings.copy(port = 143, security = Security.INSECURE, compress = false))
        connection = store.engine.connect(account, connectionOptions(ByteArray(32) { 7 }, false))
        connection.sync(null, null)
        connection.logout()
    }

    /** Gives octets from the server, and returns whether the connection has ended. */
    fun give(input: ByteBuffer): Boolean {
        var rest = input
        while (true) {
            steps++
            val step = connection.step(rest, steps, WALL + steps, 0)
            rest = rest.slice(step.consumed.toInt(), rest.remaining() - step.consumed.toInt())
            val asked = step.events.any { it is Event.NeedCredentials }
            if (asked) connection.provideCredentials(Credentials.Password("bench", null, "secret"))
            if (step.closed || !(step.more || asked || rest.hasRemaining())) return step.closed
        }
    }
}
