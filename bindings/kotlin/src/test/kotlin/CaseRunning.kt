import java.nio.ByteBuffer
import java.util.concurrent.CopyOnWriteArrayList
import javax.net.ssl.SSLHandshakeException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import mailkeep.Event
import mailkeep.LoginImpossibleException
import mailkeep.Mailkeep
import mailkeep.RequestCancelledException
import mailkeep.RunOptions
import mailkeep.Security
import mailkeep.Transport
import mailkeep.failure

private val progressed = { done: Long -> { event: Event -> event is Event.Progress && event.done > done } }

fun cancel(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 1_500, 12, 20_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        val connection = world.connect(store, account)
        val runner = Runner(connection, world.transport(store, account))
        // The language's own cancellation: who waits for the sync is cancelled, and the sync with it.
        runBlocking(Dispatchers.Default) {
            val syncing = async { connection.sync() }
            runner.wait(wanted = progressed(50))
            val asked = System.nanoTime()
            syncing.cancel()
            val took = { (System.nanoTime() - asked) / 1_000_000 }
            holds(took() < 100) { "cancelling itself took ${took()} ms" }
            val (done, moment) = runner.wait { it is Event.Done }
            holds(done.failure is RequestCancelledException) { done }
            holds((moment - asked) / 1_000_000 < 10_000) { "${(moment - asked) / 1_000_000} ms until the request ended" }
            throws<CancellationException> { syncing.await() }
        }
        val here = store.stats().messages
        holds(here in 50..1_499) { "$here messages were here when it was cancelled" }

        // The whole connection is cancelled while it syncs: what came whole is kept.
        connection.wishSync()
        runner.wait { event -> event is Event.Progress && event.request == 2L && event.done > 50 }
        runBlocking { runner.outcome.cancelAndJoin() }
        holds(connection.isClosed) { "the connection goes on" }
        val kept = store.stats().messages
        holds(kept > here) { "$kept messages were kept" }
        world.sync(store, account)
        equal(store.stats().messages, 1_500L)
        equal(store.verify().problems, emptyList<String>())
    }
}

fun twoConnections(world: World) {
    val users = listOf(world.server.user(), world.server.user())
    users.forEachIndexed { seed, user -> world.server.ask("fill", user, "INBOX", 300, 20 + seed, 6_000) }
    Mailkeep.open(world.path()).use { store ->
        val accounts = users.map { world.imap(store, it) }
        val idle = world.imap(store, world.server.user())
        val note = store.append(store.createMailbox(idle, "Notes", local = true), "Subject: a note\r\n\r\nx\r\n".toByteArray())
        val runners = accounts.map { account ->
            val connection = world.connect(store, account)
            connection.wishSync()
            connection.wishLogout()
            Runner(connection, world.transport(store, account))
        }
        var count = 0
        var longest = 0L
        while (runners.any { !it.outcome.isCompleted }) {
            val started = System.nanoTime()
            if (count % 2 == 1) store.setFlags(listOf(note), listOf("\\Seen")) else store.setFlags(listOf(note), emptyList(), listOf("\\Seen"))
            longest = maxOf(longest, (System.nanoTime() - started) / 1_000_000)
            count++
            Thread.sleep(5)
        }
        for (runner in runners) equal(runner.finish(), null)
        for ((user, account) in users.zip(accounts)) equal(seen(store, account), world.server.imapRows(user))
        holds(count > 10 && longest < 5_000) { "$count flags set, the slowest in $longest ms" }
        equal(store.verify().problems, emptyList<String>())
    }
}

/** A connection that has synced and watches the inbox. */
private fun watching(world: World, store: Mailkeep, account: Long): Runner {
    val connection = world.connect(store, account)
    val synced = connection.wishSync()
    connection.wishWatch(listOf(mailbox(store, account, "INBOX").id))
    val runner = Runner(connection, world.transport(store, account))
    runner.wait { it is Event.Done && it.request == synced }
    Thread.sleep(300)
    return runner
}

fun watch(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 30, 1_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        world.sync(store, account)
        store.acknowledgeNewMail(store.newMail())
        val runner = watching(world, store, account)
        world.server.deliver(user, "INBOX", "From: a@example.org\r\nSubject: just now\r\n\r\nhello\r\n".toByteArray())
        val told = runner.wait { it is Event.NewMail }.first as Event.NewMail
        equal(told.mailbox, mailbox(store, account, "INBOX").id)
        equal(store.message(told.message).row.subject, "just now")
        equal(store.newMail(), listOf(told.message))
        store.acknowledgeNewMail(listOf(told.message))
        equal(store.newMail(), emptyList<Long>())
        runner.connection.stopWatching()
        runBlocking { runner.connection.logout() }
        equal(runner.finish(), null)
        equal(runner.events.count { it.first is Event.NewMail }, 1)
        world.sync(store, account)
        equal(store.newMail(), emptyList<Long>())
    }
}

fun wake(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 31, 1_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        world.sync(store, account)
        val runner = watching(world, store, account)
        val row = store.rows(mailbox(store, account, "INBOX").id).first()
        store.setFlags(listOf(row.id), listOf("woken"))
        val end = System.nanoTime() + 10_000_000_000
        while (store.pending().isNotEmpty() && System.nanoTime() < end) Thread.sleep(20)
        equal(store.pending(), emptyList<Any>(), "the watching connection told the server")
        val woken = world.server.imapRows(user).filter { "woken" in it["flags"] as List<*> }
        equal(woken.map { it["uid"] }, listOf(row.uid))
        runner.connection.wishLogout()
        equal(runner.finish(), null)
    }
}

fun commitThread(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 400, 33, 20_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        equal(world.sync(store, account, RunOptions(commitThread = true)).messagesAdded, 400L)
        equal(seen(store, account), world.server.imapRows(user))
        equal(store.verify().problems, emptyList<String>())
    }
}

fun workLimit(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 40, 34, 20_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        val limit = 2_000
        // By hand: every step is seen.
        val connection = world.connect(store, account)
        connection.wishSync()
        connection.wishLogout()
        val takes = ArrayList<Long>()
        val transport = world.transport(store, account)
        val buffer = ByteArray(1 shl 16)
        var rest = ByteArray(0)
        var more = true
        runBlocking {
            while (true) {
                if (!more) {
                    val count = transport.read(buffer)
                    if (count < 0) connection.engineConnection.stepEof(clock(), System.currentTimeMillis())
                    rest += buffer.copyOf(maxOf(count, 0))
                }
                val step = connection.engineConnection.step(direct(rest), clock(), System.currentTimeMillis(), limit.toLong())
                takes.add(step.consumed)
                rest = rest.copyOfRange(step.consumed.toInt(), rest.size)
                more = step.more || rest.isNotEmpty()
                if (step.transmit.isNotEmpty()) transport.write(step.transmit)
                if (step.events.any { it is Event.NeedCredentials }) {
                    connection.engineConnection.provideCredentials(mailkeep.Credentials.Password(user, null, "secret"))
                    more = true
                }
                if (step.closed) break
            }
        }
        transport.close()
        equal(store.stats().messages, 40L)
        holds(takes.max() <= limit + 16_384) { "${takes.max()} octets in one step" }
        holds(takes.sum() > 700_000 && takes.size > 150) { "${takes.sum()} in ${takes.size}" }

        // And by the loop of this layer.
        Mailkeep.open(world.path()).use { other ->
            val same = world.imap(other, user)
            equal(world.sync(other, same, RunOptions(limit = limit)).messagesAdded, 40L)
            equal(other.verify().problems, emptyList<String>())
        }
    }
}

/** Octets where the engine can read them in place. */
private fun direct(octets: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(octets.size).put(octets).flip()

private fun clock() = System.nanoTime() / 1_000_000

fun startTls(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 5, 35, 1_000)
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        val settings = store.account(account).settings.copy(security = Security.START_TLS, port = world.server.imap)
        store.updateAccount(account, settings)
        world.sync(store, account)
        equal(store.stats().messages, 5L)

        // As a flow of events.
        val connection = world.connect(store, account)
        connection.wishSync()
        connection.wishLogout()
        val events = runBlocking { connection.events(world.transport(settings)).toList() }
        holds(Event.StartTls in events && events.last() == Event.Closed(null)) { events }

        // The same port, held to be encrypted by the account and not so by the host: nothing is said of the password.
        store.updateAccount(account, settings.copy(security = Security.TLS))
        val open = world.connect(store, account, options = RunOptions(secure = false))
        val said = CopyOnWriteArrayList<Byte>()
        val plain = world.transport(settings)
        val recording = object : Transport by plain {
            override suspend fun write(octets: ByteArray) {
                said.addAll(octets.toList())
                plain.write(octets)
            }
        }
        val error = throws<LoginImpossibleException> { open.syncBlocking(recording) }
        equal(error.code, 302)
        val words = String(said.toByteArray())
        holds("secret" !in words && "LOGIN" !in words.uppercase()) { words }

        // A certificate that names somebody else is refused.
        runBlocking {
            world.transport(settings).use { transport ->
                val buffer = ByteArray(1 shl 12)
                holds(transport.read(buffer) > 0) { "no greeting" }
                transport.write("a STARTTLS\r\n".toByteArray())
                holds(transport.read(buffer) > 0) { "no answer" }
                throws<SSLHandshakeException> { transport.startTls("other.example") }
            }
        }
    }
}
