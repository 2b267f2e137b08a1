// A small mail client for the command line: shows how a program on the JVM holds the engine.

import java.io.Console
import java.io.File
import java.io.IOException
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.text.SimpleDateFormat
import java.util.Date
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import kotlin.system.exitProcess
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import mailkeep.AccountInfo
import mailkeep.Accounts
import mailkeep.Event
import mailkeep.MailException
import mailkeep.MailboxInfo
import mailkeep.Mailkeep
import mailkeep.OperationState
import mailkeep.ServerException
import mailkeep.SignIn
import mailkeep.SocketTransport
import mailkeep.StoreException

private const val USAGE = """usage: mail FILE COMMAND
  add NAME imap|pop3 HOST PORT USER       an account, over TLS
  sync [ACCOUNT]                          brings it into step; the password is asked for, or taken from MAIL_PASSWORD
  watch [ACCOUNT]                         syncs and stays, telling of new mail until Ctrl-C
  mailboxes                               what there is
  list MAILBOX [COUNT]                    the newest messages
  show ID                                 one message as text
  save ID FOLDER                          its attachments
  flag ID [+FLAG]... [-FLAG]...           sets and clears flags: flag 17 +seen -flagged +todo
  move ID MAILBOX | delete ID             offline too; the server is told at the next sync
  pending                                 what the server has not confirmed
MAIL_CA names a file with a certificate authority besides the system's, in PEM."""

fun main(arguments: Array<String>) {
    if (arguments.size < 2) stop(2, USAGE)
    try {
        Mailkeep.open(arguments[0]).use { Client(it).run(arguments[1], arguments.drop(2)) }
    } catch (error: StoreException) {
        stop(3, "the store: ${error.message}")
    } catch (error: ServerException) {
        stop(4, "the server: ${error.message}")
    } catch (error: MailException) {
        stop(1, "${error.message}")
    } catch (error: IOException) {
        stop(4, "the network: ${error.message}")
    }
}

private fun stop(code: Int, words: String): Nothing {
    System.err.println(words)
    exitProcess(code)
}

private class Client(private val store: Mailkeep) {
    fun run(command: String, words: List<String>) {
        when (command) {
            "add" -> add(words)
            "sync" -> sync(account(words.firstOrNull()), stay = false)
            "watch" -> sync(account(words.firstOrNull()), stay = true)
            "mailboxes" -> mailboxes()
            "list" -> list(mailbox(word(words, 0)), words.getOrNull(1)?.toIntOrNull() ?: 20)
            "show" -> show(id(words))
            "save" -> save(id(words), File(word(words, 1)))
            "flag" -> flag(id(words), words.drop(1))
            "move" -> store.move(listOf(id(words)), mailbox(word(words, 1)).id)
            "delete" -> store.delete(listOf(id(words)))
            "pending" -> pending()
            else -> stop(2, USAGE)
        }
    }

    private fun word(words: List<String>, at: Int) = words.getOrNull(at) ?: stop(2, USAGE)

    private fun id(words: List<String>) = word(words, 0).toLongOrNull() ?: stop(2, USAGE)

    private fun account(name: String?): AccountInfo =
        store.accounts().find { name == null || it.settings.name == name } ?: stop(1, "no such account")

    private fun mailbox(name: String): MailboxInfo =
        store.accounts().flatMap { store.mailboxes(it.id) }.find { it.name.equals(name, ignoreCase = true) }
            ?: stop(1, "no mailbox is called $name")

    private fun add(words: List<String>) {
        val (name, protocol, host, port, user) = List(5) { word(words, it) }
        val settings = when (protocol) {
            "imap" -> Accounts.imap(name, host, user)
            "pop3" -> Accounts.pop3(name, host, user)
            else -> stop(2, USAGE)
        }
        store.addAccount(settings.copy(port = port.toIntOrNull() ?: stop(2, USAGE)))
    }

    private fun sync(account: AccountInfo, stay: Boolean) = runBlocking {
        val connection = store.connect(account.id, SignIn.password(account.settings.user, password(account)))
        // Ctrl-C signs out; what came whole is kept either way.
        Runtime.getRuntime().addShutdownHook(Thread { connection.close() })
        val transport = SocketTransport.connect(account.settings, trust())
        coroutineScope {
            launch { connection.run(transport, ::tell) }
            val did = connection.sync()
            println("${did.messagesAdded} new, ${did.messagesRemoved} gone, ${did.operationsReplayed} told to the server")
            if (stay) connection.watch(listOf(store.mailboxes(account.id).first { it.name == "INBOX" }.id))
            connection.logout()
        }
    }

    private fun tell(event: Event) {
        when (event) {
            is Event.NewMail -> println("new: ${store.message(event.message).row.subject}")
            is Event.Progress -> System.err.print("\r${event.done} of ${event.total} ")
            is Event.Alert -> println("the server says: ${event.text}")
            is Event.Problem -> System.err.println(event.text)
            else -> {}
        }
    }

    private fun password(account: AccountInfo): String {
        System.getenv("MAIL_PASSWORD")?.let { return it }
        val console: Console = System.console() ?: stop(2, "no terminal to ask for the password on: set MAIL_PASSWORD")
        return String(console.readPassword("password of %s: ", account.settings.user))
    }

    /** The system's authorities, or the one in MAIL_CA. */
    private fun trust(): SSLContext {
        val file = System.getenv("MAIL_CA") ?: return SSLContext.getDefault()
        val authority = File(file).inputStream().use { CertificateFactory.getInstance("X.509").generateCertificate(it) }
        val keys = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null) }
        keys.setCertificateEntry("given", authority)
        val managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(keys) }
        return SSLContext.getInstance("TLS").apply { init(null, managers.trustManagers, null) }
    }

    private fun mailboxes() {
        for (account in store.accounts()) {
            println(account.settings.name)
            for (box in store.mailboxes(account.id)) println("  %6d %6d  %s".format(box.unseen, box.total, box.name))
        }
    }

    private fun list(mailbox: MailboxInfo, count: Int) {
        val date = SimpleDateFormat("yyyy-MM-dd HH:mm")
        for (row in store.page(mailbox.id, limit = count).rows) {
            val from = row.fromFirst.firstOrNull()?.let { it.name ?: it.address }.orEmpty()
            val mark = if ("\\Seen" in row.flags) " " else "*"
            println("%6d %s %s  %-24.24s %s".format(row.id, mark, date.format(Date(row.internalDate)), from, row.subject))
        }
    }

    private fun show(id: Long) {
        val message = store.message(id)
        println("From: ${message.row.fromFirst.joinToString { it.name ?: it.address }}")
        println("To: ${message.to.joinToString { it.name ?: it.address }}")
        println("Subject: ${message.row.subject}")
        for (part in message.parts.filter { it.isAttachment }) println("Attached: ${part.number} ${part.safeFileName}")
        println()
        println(store.text(id) ?: "${message.row.preview} … (it is not here yet: sync)")
    }

    private fun save(id: Long, folder: File) {
        folder.mkdirs()
        for (part in store.message(id).parts.filter { it.isAttachment }) {
            val octets = store.part(id, part.number) ?: stop(1, "part ${part.number} is not here yet: sync")
            File(folder, part.safeFileName).writeBytes(octets)
            println(File(folder, part.safeFileName))
        }
    }

    private fun flag(id: Long, changes: List<String>) {
        val words = { sign: Char -> changes.filter { it.startsWith(sign) }.map { wire(it.drop(1)) } }
        store.setFlags(listOf(id), words('+'), words('-'))
    }

    /** `seen` for `\Seen`, and other words as they are. */
    private fun wire(word: String): String {
        val system = listOf("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
        return system.find { it.drop(1).equals(word, ignoreCase = true) } ?: word
    }

    private fun pending() {
        for (operation in store.pending()) {
            val state = when (val state = operation.state) {
                is OperationState.Waiting -> "waits"
                is OperationState.Sent -> "was sent"
                is OperationState.SetAside -> "was set aside: ${state.reason}"
            }
            println("${operation.id} ${operation.kind} $state")
        }
    }
}
