package mailkeep

import java.io.IOException
import java.nio.ByteBuffer
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.selects.onTimeout
import kotlinx.coroutines.selects.select
import kotlinx.coroutines.withContext
import mailkeep.MailkeepException as Generated

/** One run of a connection over one transport. Steps of the engine run on the dispatcher for blocking work. */
internal class RunLoop(
    private val connection: Connection,
    private val transport: Transport,
    private val onEvent: suspend (Event) -> Unit,
) {
    private val inner = connection.inner
    private val buffer = ByteArray(1 shl 16)

    /** Octets that the engine has not taken yet; outside of the heap, where it reads them in place. */
    private var rest: ByteBuffer = ByteBuffer.allocateDirect(2 * buffer.size).apply { limit(0) }

    /** What is to be sent, and markers that tell when everything before them was. */
    private val out = Channel<Outgoing>(Channel.UNLIMITED)
    private val commits = Channel<Commit>(Channel.UNLIMITED)
    private var reading: Deferred<Int>? = null
    private var deadline: Long? = null
    private var more = false
    private var ended = false
    private var closed = false
    private var committing = false
    private var error: MailException? = null

    private class Outgoing(val octets: ByteArray, val sent: CompletableDeferred<Unit>?)

    suspend fun run() = coroutineScope {
        val writer = launch { write() }
        try {
            took(step(NOTHING))
            while (!closed || committing) turn()
            flush()
        } finally {
            transport.close()
            out.close()
            writer.cancel()
            reading?.cancel()
            withContext(NonCancellable) { settle() }
        }
        error?.let { throw it }
    }

    /** What came whole is made durable, however the run ended. */
    private suspend fun settle() {
        try {
            if (!closed) engine { inner.stepEof(connection.monoMs(), wall()) }
            while (true) {
                val commit = if (committing) commits.receive() else engine { inner.takeCommit() } ?: return
                if (!committing) engine { commit.run() }
                committing = false
                engine { inner.stepCommit(commit, connection.monoMs(), wall()) }
                commit.close()
            }
        } catch (_: MailException) {
            // The store or the connection is closed: nothing is left to be kept.
        }
    }

    private suspend fun turn() {
        if (connection.wake && !closed) {
            connection.wake = false
            return took(engine { inner.stepWake(connection.monoMs(), wall()) })
        }
        val stuck = more && committing
        when {
            closed || stuck -> committed(commits.receive())
            more -> feed()
            ended -> took(engine { inner.stepEof(connection.monoMs(), wall()) })
            else -> await()
        }
    }

    /** Waits for whatever comes first: octets, a wish, a commit, the deadline. */
    @OptIn(ExperimentalCoroutinesApi::class)
    private suspend fun await() = coroutineScope {
        val read = reading ?: readAhead().also { reading = it }
        val left = deadline?.let { (it - connection.monoMs()).coerceAtLeast(0) } ?: Long.MAX_VALUE
        val act: suspend () -> Unit = select {
            read.onAwait { count -> { got(count) } }
            connection.bell.onReceive { { feed() } }
            commits.onReceive { commit -> { committed(commit) } }
            onTimeout(left) { { feed() } }
        }
        act()
    }

    /** Reads outside of the waiting's own scope: it may go on over several waits. */
    private fun readAhead(): Deferred<Int> = CoroutineScope(Dispatchers.IO).async {
        try {
            transport.read(buffer)
        } catch (_: IOException) {
            -1
        }
    }

    private suspend fun got(count: Int) {
        reading = null
        if (count < 0) {
            ended = true
        } else {
            keep(count)
            feed()
        }
    }

    /** Puts what was read behind what is left. */
    private fun keep(count: Int) {
        rest.compact()
        if (rest.remaining() < count) {
            rest.flip()
            rest = ByteBuffer.allocateDirect(2 * (rest.remaining() + count)).put(rest)
        }
        rest.put(buffer, 0, count)
        rest.flip()
    }

    /** Gives what is left to the engine; a wish or a wake may be told while the connection is closing. */
    private suspend fun feed() {
        val step = step(rest.slice())
        rest.position(rest.position() + step.consumed.toInt())
        took(step)
    }

    private suspend fun step(octets: ByteBuffer): Step =
        engine { inner.step(octets, connection.monoMs(), wall(), connection.options.limit.toLong()) }

    private suspend fun <R> engine(act: () -> R): R = withContext(Dispatchers.IO) {
        try {
            act()
        } catch (error: Generated) {
            throw error.toMail()
        }
    }

    private suspend fun committed(commit: Commit) {
        committing = false
        took(engine { inner.stepCommit(commit, connection.monoMs(), wall()) })
        commit.close()
    }

    /** Acts on what a step gave. */
    private suspend fun took(step: Step) {
        if (step.transmit.isNotEmpty()) out.trySend(Outgoing(step.transmit, null))
        deadline = step.deadline
        more = step.more
        closed = step.closed
        if (step.commit) runCommit()
        for (event in step.events) act(event)
    }

    private suspend fun act(event: Event) {
        when (event) {
            is Event.NeedCredentials -> signIn(event.mechanisms)
            is Event.StartTls -> startTls()
            is Event.Done -> connection.done(event)
            is Event.Stored -> connection.store.tick()
            is Event.Closed -> error = event.failure
            else -> {}
        }
        onEvent(event)
    }

    private suspend fun signIn(mechanisms: List<String>) {
        val credentials = connection.signIn.credentials(mechanisms)
        engine { if (credentials == null) inner.declineCredentials() else inner.provideCredentials(credentials) }
        took(step(NOTHING))
    }

    private suspend fun startTls() {
        flush()
        try {
            transport.startTls(connection.settings.host)
        } catch (failure: IOException) {
            throw DisconnectedException(304, "TLS could not be started: ${failure.message}")
        }
        took(engine { inner.stepTls(null, null, connection.monoMs(), wall()) })
    }

    private suspend fun runCommit() {
        val commit = engine { inner.takeCommit() } ?: return
        committing = true
        CoroutineScope(Dispatchers.IO).launch {
            try {
                commit.run()
            } finally {
                commits.trySend(commit)
            }
        }
    }

    private suspend fun write() {
        for (outgoing in out) {
            try {
                if (outgoing.octets.isNotEmpty()) transport.write(outgoing.octets)
            } catch (_: IOException) {
                // What the server still said is read first; reading then finds the end.
            }
            outgoing.sent?.complete(Unit)
        }
    }

    /** Waits until everything was sent. */
    private suspend fun flush() {
        val sent = CompletableDeferred<Unit>()
        out.trySend(Outgoing(ByteArray(0), sent))
        sent.await()
    }

    private fun wall() = System.currentTimeMillis()

    private companion object {
        val NOTHING: ByteBuffer = ByteBuffer.allocateDirect(0)
    }
}
