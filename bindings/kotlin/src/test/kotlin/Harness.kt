import java.io.Closeable
import java.io.File
import java.nio.file.Files
import java.security.KeyStore
import java.security.MessageDigest
import java.security.cert.CertificateFactory
import java.util.Base64
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import mailkeep.AccountSettings
import mailkeep.Accounts
import mailkeep.BodyPolicy
import mailkeep.Connection
import mailkeep.Event
import mailkeep.MailException
import mailkeep.MailboxInfo
import mailkeep.MailboxKind
import mailkeep.Mailkeep
import mailkeep.RunOptions
import mailkeep.SignIn
import mailkeep.SocketTransport
import mailkeep.SyncSummary

/** A private Dovecot: the program `mail_server` at the other end of a pipe. */
class Server(program: File) : Closeable {
    private val process = ProcessBuilder(program.path).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    private val input = process.inputStream.bufferedReader()
    private val output = process.outputStream.bufferedWriter()
    private val about = Json.parse(line()) as Map<*, *>
    private var users = 0

    val imap = port("imap")
    val imaps = port("imaps")
    val pop3s = port("pop3s")
    val ca = File(about["ca"] as String)

    private fun port(name: String) = (about[name] as Long).toInt()

    private fun line(): String = input.readLine() ?: throw AssertionError("the mail server is gone")

    @Synchronized
    fun ask(vararg words: Any): Any? {
        output.write(words.joinToString(" ") { it.toString().replace(" ", "%20") } + "\n")
        output.flush()
        return Json.parse(line())
    }

    /** A new user, whose password is `secret`. */
    fun user(): String {
        val name = "user${++users}"
        ask("user", name, "secret")
        return name
    }

    fun deliver(user: String, mailbox: String, raw: ByteArray) {
        ask("deliver", user, mailbox, 1_700_000_000, Base64.getEncoder().encodeToString(raw))
    }

    /** What another program sees of a user's mail: rows by mailbox and UID. */
    @Suppress("UNCHECKED_CAST")
    fun imapRows(user: String) = ordered(ask("imap", user, "secret") as List<Map<String, Any?>>)

    override fun close() {
        output.close()
        process.waitFor(30, TimeUnit.SECONDS)
    }
}

/** A server, and a folder for stores. */
class World(val fixture: File, program: File) : Closeable {
    val server = Server(program)
    val folder: File = Files.createTempDirectory("mailkeep-kotlin-").toFile()
    private var stores = 0

    /** Trusts the server's authority and nobody else. */
    val tls: SSLContext = SSLContext.getInstance("TLS").apply {
        val keys = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null) }
        val authority = server.ca.inputStream().use { CertificateFactory.getInstance("X.509").generateCertificate(it) }
        keys.setCertificateEntry("ca", authority)
        val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(keys) }
        init(null, trust.trustManagers, null)
    }

    fun path(): String = File(folder, "store${++stores}.redb").path

    /** An IMAP account over TLS. */
    fun imap(store: Mailkeep, user: String, bodies: BodyPolicy = BodyPolicy.All): Long =
        store.addAccount(Accounts.imap(user, "localhost", user).copy(port = server.imaps, bodies = bodies))

    /** A POP3 account over TLS. */
    fun pop3(store: Mailkeep, user: String): Long =
        store.addAccount(Accounts.pop3(user, "localhost", user).copy(port = server.pop3s))

    fun connect(store: Mailkeep, account: Long, password: String = "secret", options: RunOptions = RunOptions()): Connection =
        store.connect(account, SignIn.password(store.account(account).settings.user, password), options)

    fun transport(settings: AccountSettings) = SocketTransport.open(settings, tls)

    fun transport(store: Mailkeep, account: Long) = transport(store.account(account).settings)

    fun sync(store: Mailkeep, account: Long, options: RunOptions = RunOptions()): SyncSummary =
        connect(store, account, options = options).use { it.syncBlocking(transport(store, account)) }

    override fun close() {
        server.close()
        folder.deleteRecursively()
    }
}

/** Runs a connection in the background, and keeps its events with the moments at which they came. */
class Runner(val connection: Connection, transport: mailkeep.Transport) {
    val events = CopyOnWriteArrayList<Pair<Event, Long>>()
    val outcome = CoroutineScope(Dispatchers.IO).async {
        try {
            connection.run(transport) { events.add(it to System.nanoTime()) }
            null
        } catch (error: MailException) {
            error
        }
    }

    /** The first event that is wanted, and when it came. */
    fun wait(seconds: Int = 20, wanted: (Event) -> Boolean): Pair<Event, Long> {
        val end = System.nanoTime() + seconds * 1_000_000_000L
        while (System.nanoTime() < end) {
            events.find { wanted(it.first) }?.let { return it }
            if (outcome.isCompleted) events.find { wanted(it.first) }?.let { return it } ?: break
            Thread.sleep(1)
        }
        throw AssertionError("not told: ${events.map { it.first }}, ${if (outcome.isCompleted) outcome.getCompleted() else ""}")
    }

    /** Waits until the connection ends, and gives why where it did not end well. */
    fun finish(): MailException? = runBlocking { kotlinx.coroutines.withTimeout(30_000) { outcome.await() } }
}

fun mailbox(store: Mailkeep, account: Long, name: String): MailboxInfo = store.mailboxes(account).first { it.name == name }

fun equal(found: Any?, wanted: Any?, what: String = "") {
    if (found != wanted) throw AssertionError("$what: $found where $wanted is wanted")
}

fun holds(truth: Boolean, what: () -> Any?) {
    if (!truth) throw AssertionError("${what()}")
}

/** The exception of a kind that a call throws. */
inline fun <reified E : Throwable> throws(act: () -> Unit): E {
    try {
        act()
    } catch (error: Throwable) {
        if (error is E) return error
        throw error
    }
    throw AssertionError("no ${E::class.java.simpleName} was thrown")
}

fun hex(octets: ByteArray) = octets.joinToString("") { "%02x".format(it) }

fun sha256(octets: ByteArray) = hex(MessageDigest.getInstance("SHA-256").digest(octets))

/** The raw message, read in chunks. */
fun raw(store: Mailkeep, message: Long, chunk: Int = 1 shl 20): ByteArray? =
    store.bodyChunks(message, chunk)?.fold(ByteArray(0)) { all, octets -> all + octets }

fun ordered(rows: List<Map<String, Any?>>) = rows.sortedWith(compareBy({ it["mailbox"] as String }, { it["uid"] as Long }))

/** What a store has of an account, as the server's own reader tells it. */
fun seen(store: Mailkeep, account: Long): List<Map<String, Any?>> = ordered(
    store.mailboxes(account).filter { it.kind != MailboxKind.LOCAL }.flatMap { box ->
        store.rows(box.id).map { row ->
            mapOf(
                "mailbox" to box.name,
                "uid" to row.uid,
                "flags" to row.flags.map { it.lowercase() }.sorted(),
                "size" to row.size,
                "internal_date" to row.internalDate / 1000,
                "sha256" to sha256(raw(store, row.id) ?: throw AssertionError("${row.subject} is not here")),
            )
        }
    },
)
