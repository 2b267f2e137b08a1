package mailkeep

import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.runBlocking

/** Gives credentials when the server asks for them, out of a key store or an OAuth library. */
fun interface SignIn {
    /** Credentials for one of these SASL mechanisms (`LOGIN-COMMAND` is the command LOGIN), or null for none. */
    suspend fun credentials(mechanisms: List<String>): Credentials?

    companion object {
        /** A user name and a password. They are given once: asked again, there are none. */
        @JvmStatic
        fun password(user: String, password: String): SignIn {
            var given = false
            return SignIn {
                if (given) null else Credentials.Password(user, null, password).also { given = true }
            }
        }
    }
}

/** How a connection is run. */
data class RunOptions @JvmOverloads constructor(
    /** Commits run on a thread of their own, so that the socket never waits for the disk. */
    val commitThread: Boolean = false,
    /** How long the server may be silent while an answer is due, in milliseconds. */
    val timeoutMs: Long = 120_000,
    /** The transport is encrypted from its first byte; as the account says where this is null. */
    val secure: Boolean? = null,
    /** About how many octets the engine takes at once; 0 for all there are. */
    val limit: Int = 0,
)

/**
 * One account's protocol over one transport.
 *
 * [run] moves the bytes until the connection ends. Wishes are made meanwhile or before, from any coroutine or thread: [sync],
 * [fetch], [watch] and [logout] wait until they are fulfilled, and to cancel the waiting coroutine is to take the wish back.
 * The same with names that begin with `wish` return a request's id at once.
 */
class Connection internal constructor(
    internal val store: Mailkeep,
    /** What is generated, for loops of your own over its `step`. */
    val engineConnection: EngineConnection,
    internal val settings: AccountSettings,
    internal val signIn: SignIn,
    internal val options: RunOptions,
) : AutoCloseable {
    internal val inner get() = engineConnection

    /** Its id. */
    val id: Long = engineConnection.id()

    /** The account that it serves. */
    val account: Long = engineConnection.account()

    private val begin = System.nanoTime()
    private val results = ConcurrentHashMap<Long, CompletableDeferred<SyncSummary>>()

    /** Rings when there is something to say: a wish, or another connection's word. */
    internal val bell = Channel<Unit>(Channel.CONFLATED)

    @Volatile
    internal var wake = false

    internal fun woken() {
        wake = true
        bell.trySend(Unit)
    }

    /** Milliseconds of a clock that never goes back. */
    internal fun monoMs(): Long = (System.nanoTime() - begin) / 1_000_000

    /** Whether the connection is of no more use. */
    val isClosed: Boolean get() = inner.isClosed()

    // Wishes that wait.

    /** Brings the account, or these of its mailboxes, into step with the server, and says what that did. */
    suspend fun sync(mailboxes: List<Long>? = null, bodies: BodyPolicy? = null): SyncSummary =
        fulfilled(wishSync(mailboxes, bodies))

    /** Brings one message here whole, or one part of it. */
    suspend fun fetch(message: Long, part: String? = null): SyncSummary = fulfilled(wishFetch(message, part))

    /** Watches mailboxes and keeps them in step, until the coroutine is cancelled or the connection ends. */
    suspend fun watch(mailboxes: List<Long>): SyncSummary = fulfilled(wishWatch(mailboxes))

    /** Signs out, when everything asked before is done. */
    suspend fun logout() {
        fulfilled(wishLogout())
    }

    /** Waits for the outcome of a wish; where the waiting is cancelled the wish is taken back. */
    suspend fun fulfilled(request: Long): SyncSummary {
        val result = result(request)
        try {
            return result.await()
        } catch (cancelled: CancellationException) {
            if (!result.isCompleted) cancel(request)
            throw cancelled
        } finally {
            results.remove(request)
        }
    }

    // Wishes that do not.

    /** As [sync], and gives the id of the request at once. */
    @JvmOverloads
    @Throws(MailException::class)
    fun wishSync(mailboxes: List<Long>? = null, bodies: BodyPolicy? = null): Long = wish { inner.sync(mailboxes, bodies) }

    /** As [fetch], and gives the id of the request at once. */
    @JvmOverloads
    @Throws(MailException::class)
    fun wishFetch(message: Long, part: String? = null): Long =
        wish { if (part == null) inner.fetch(message) else inner.fetchPart(message, part) }

    /** As [watch], and gives the id of the request at once. */
    @Throws(MailException::class)
    fun wishWatch(mailboxes: List<Long>): Long = wish { inner.watch(mailboxes) }

    /** As [logout], and gives the id of the request at once. */
    @Throws(MailException::class)
    fun wishLogout(): Long = wish { inner.logout() }

    /** Watches no longer. */
    @Throws(MailException::class)
    fun stopWatching() {
        calling { inner.stopWatching() }
        bell.trySend(Unit)
    }

    /** Takes a request back, at the next point where nothing is lost by it. Never waits for the engine. */
    fun cancel(request: Long) {
        inner.cancel(request)
        bell.trySend(Unit)
    }

    private inline fun wish(wish: () -> Long): Long = calling(wish).also { bell.trySend(Unit) }

    // The loop.

    /**
     * Moves bytes between the engine and a transport until the connection ends, and closes the transport. Every event is given to
     * [onEvent]. To cancel the coroutine is to end the connection: what came whole is kept.
     *
     * Throws the [MailException] that the connection ended with; a transport that breaks is one too.
     */
    suspend fun run(transport: Transport, onEvent: suspend (Event) -> Unit = {}) {
        try {
            RunLoop(this, transport, onEvent).run()
        } catch (error: Throwable) {
            fail(error)
            throw error
        }
        fail(DisconnectedException(304, "the connection ended"))
    }

    /** The same as a flow of events: the connection runs as long as it is collected. */
    fun events(transport: Transport): Flow<Event> = channelFlow { run(transport) { send(it) } }

    /** The same for callers without coroutines: blocks this thread until the connection ends. */
    @JvmOverloads
    @Throws(MailException::class)
    fun runBlocking(transport: Transport, onEvent: EventListener = EventListener {}) {
        runBlocking { run(transport) { onEvent.event(it) } }
    }

    /** One wish of a caller without coroutines: runs the connection until it is fulfilled, and signs out. */
    @Throws(MailException::class)
    fun syncBlocking(transport: Transport): SyncSummary {
        val request = wishSync()
        wishLogout()
        var outcome: Event.Done? = null
        runBlocking(transport) { if (it is Event.Done && it.request == request) outcome = it }
        val done = outcome ?: throw DisconnectedException(304, "the connection ended before the sync did")
        done.failure?.let { throw it }
        return done.summary ?: throw DisconnectedException(304, "the sync has no outcome")
    }

    internal fun done(event: Event.Done) {
        val result = result(event.request)
        val error = event.failure
        if (error != null) result.completeExceptionally(error) else result.complete(event.summary!!)
    }

    private fun result(request: Long) = results.computeIfAbsent(request) { CompletableDeferred() }

    private fun fail(error: Throwable) {
        val why = if (error is CancellationException) DisconnectedException(304, "the connection was given up") else error
        for (result in results.values) result.completeExceptionally(why)
    }

    /** Gives the connection up, where it has not ended: what it has not committed is let go. */
    override fun close() {
        inner.giveUp()
        store.forget(this)
        bell.trySend(Unit)
    }
}

/** Takes events, in Java's way. */
fun interface EventListener {
    /** Something happened. */
    fun event(event: Event)
}
