package mailkeep

import java.lang.ref.WeakReference
import java.security.SecureRandom
import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.onStart

/**
 * A store of mail, open. Use it from as many threads as you like, and close it.
 *
 * Its calls block for as long as the disk takes, microseconds for a page: on Android make them off the main thread. What a person
 * does is durable and shown when the call returns; a [Connection] tells the server. Times are milliseconds since 1970. Calls throw
 * [MailException].
 */
class Mailkeep private constructor(
    /** What is generated, for what this layer has no words for. */
    val engine: Engine,
) : AutoCloseable {
    private val connections = ConcurrentHashMap<Long, WeakReference<Connection>>()
    private val ticks = MutableSharedFlow<Unit>(extraBufferCapacity = 1, onBufferOverflow = BufferOverflow.DROP_OLDEST)

    init {
        engine.setWakeListener(Wakes(WeakReference(this)))
    }

    /** Hands the engine's word that a connection has something to do to that connection. */
    private class Wakes(private val store: WeakReference<Mailkeep>) : WakeListener {
        override fun woken() {
            store.get()?.handOnWakes()
        }
    }

    private fun handOnWakes() {
        while (true) connections[engine.pollWake() ?: return]?.get()?.woken()
    }

    /** Something was stored: whoever follows the change feed looks. */
    internal fun tick() {
        ticks.tryEmit(Unit)
    }

    internal fun forget(connection: Connection) {
        connections.remove(connection.id)
    }

    private inline fun <R> acting(act: (Engine) -> R): R = calling { act(engine) }.also { tick() }

    // The store's life.

    /** Closes the store for good, its connections with it. */
    override fun close() {
        // The object itself goes when it is collected: until then calls answer that it is closed.
        calling { engine.shutDown() }
        engine.setWakeListener(null)
    }

    /** Opens the storage again after it failed and the cause is gone. */
    @Throws(MailException::class)
    fun reopen() = acting { it.reopen() }

    /** Closes the file and gives its lock back, so that the system may put the app to sleep. */
    @Throws(MailException::class)
    fun suspendStore() = calling { engine.suspend() }

    /** Opens the file again after [suspendStore]. */
    @Throws(MailException::class)
    fun resume() = acting { it.resume() }

    /** Copies everything, as it is at this moment, into a file that is not there yet. */
    @Throws(MailException::class)
    fun backupTo(path: String) = calling { engine.backupTo(path, random.nextLong()) }

    /** The number that names this store, and no copy of it. */
    val incarnation: Long get() = calling { engine.incarnation() }

    // Accounts.

    /** Adds an account and gives its id; [Accounts] has settings to begin with. */
    @Throws(MailException::class)
    fun addAccount(settings: AccountSettings): Long = acting { it.addAccount(settings) }

    /** Changes an account's settings. */
    @Throws(MailException::class)
    fun updateAccount(account: Long, settings: AccountSettings) = acting { it.updateAccount(account, settings) }

    /** Removes an account and its mail from this device. */
    @Throws(MailException::class)
    fun removeAccount(account: Long) = acting { it.removeAccount(account) }

    /** All accounts. */
    @Throws(MailException::class)
    fun accounts(): List<AccountInfo> = calling { engine.accounts() }

    /** One account. */
    @Throws(MailException::class)
    fun account(account: Long): AccountInfo =
        accounts().find { it.id == account } ?: throw GoneException(200, "no such account")

    /** What the server lets the account hold, as last heard. */
    @Throws(MailException::class)
    fun quotas(account: Long): List<Quota> = calling { engine.quotas(account) }

    /** Points an account at another server that has the same mail; nothing that is met there is downloaded again. */
    @Throws(MailException::class)
    fun convertAccount(account: Long, settings: AccountSettings) =
        acting { it.convertAccount(account, settings, now()) }

    /** How far an account's conversion has come. */
    @Throws(MailException::class)
    fun conversion(account: Long): Conversion = calling { engine.conversion(account) }

    /** Ends a conversion, and says how many messages were sent on or kept. */
    @Throws(MailException::class)
    fun finishConversion(account: Long, action: LeftoverAction): Long =
        acting { it.finishConversion(account, action, now()) }

    /** Begins a connection for an account, with who signs in and how it is run. */
    @JvmOverloads
    @Throws(MailException::class)
    fun connect(account: Long, signIn: SignIn, options: RunOptions = RunOptions()): Connection {
        val settings = account(account).settings
        val seed = ByteArray(32).also(random::nextBytes)
        val given = connectionOptions(seed, options.secure ?: (settings.security == Security.TLS)).copy(
            hostCommits = options.commitThread,
            timeoutMs = options.timeoutMs,
        )
        val connection = Connection(this, calling { engine.connect(account, given) }, settings, signIn, options)
        connections[connection.id] = WeakReference(connection)
        return connection
    }

    // What is here.

    /** An account's mailboxes, in the order in which they came to be known. */
    @Throws(MailException::class)
    fun mailboxes(account: Long): List<MailboxInfo> = calling { engine.mailboxes(account) }

    /** One mailbox. */
    @Throws(MailException::class)
    fun mailbox(mailbox: Long): MailboxInfo = calling { engine.mailbox(mailbox) }

    /** A page of a mailbox's messages, newest first, from behind the cursor of the page before. */
    @JvmOverloads
    @Throws(MailException::class)
    fun page(mailbox: Long, after: ByteArray? = null, limit: Int = 50): MessagePage =
        MessagePage(PackedPage(calling { engine.messagesPacked(mailbox, after, limit.toLong()) }))

    /** All messages of a mailbox, newest first, read page by page while you go through them. */
    @JvmOverloads
    fun rows(mailbox: Long, page: Int = 200): Sequence<MessageRow> = sequence {
        var cursor: ByteArray? = null
        do {
            val found = page(mailbox, cursor, page)
            yieldAll(found.rows)
            cursor = found.next
        } while (cursor != null)
    }

    /** The row of one message, as it is now. */
    @Throws(MailException::class)
    fun row(message: Long): MessageRow = PackedPage(calling { engine.rowPacked(message) }).rows()[0]

    /** One message with its addresses and parts. */
    @Throws(MailException::class)
    fun message(message: Long): Message = Message(calling { engine.message(message) })

    /** Octets of a raw message, fewer at its end; null where it is not here: [Connection.fetch] brings it. */
    @Throws(MailException::class)
    fun body(message: Long, offset: Long, length: Int): ByteArray? =
        calling { engine.body(message, offset, length.toLong()) }

    /** The raw message in chunks, or null where it is not here. */
    @JvmOverloads
    @Throws(MailException::class)
    fun bodyChunks(message: Long, chunk: Int = 1 shl 16): Sequence<ByteArray>? {
        val first = body(message, 0, chunk) ?: return null
        return sequence {
            var (offset, octets) = 0L to first
            while (octets.isNotEmpty()) {
                yield(octets)
                offset += octets.size
                if (octets.size < chunk) break
                octets = body(message, offset, chunk) ?: ByteArray(0)
            }
        }
    }

    /** The text of a message for reading, or null where it is not here. */
    @Throws(MailException::class)
    fun text(message: Long): String? = calling { engine.text(message) }

    /** The HTML of a message as it was sent: not safe to show without a sandbox. */
    @Throws(MailException::class)
    fun html(message: Long): String? = calling { engine.html(message) }

    /** A part of a message by its number, decoded, or null where it is not here. */
    @Throws(MailException::class)
    fun part(message: Long, number: String): ByteArray? = calling { engine.part(message, number) }

    /** What changed since a commit: what a screen that missed events must draw again. */
    @Throws(MailException::class)
    fun changesSince(commit: Long): Changes = calling { engine.changesSince(commit) }

    /** Where a screen that reads everything now asks the change feed from next. */
    @Throws(MailException::class)
    fun lastCommit(): Long = calling { engine.lastCommit() }

    /** The change feed from a commit on, as long as it is collected. Several changes may come as one. */
    fun changes(since: Long): Flow<Changes> = flow {
        var next = since
        ticks.onStart { emit(Unit) }.conflate().collect {
            val changes = changesSince(next)
            val at = changes.next
            val news = changes !is Changes.Since || changes.changes.isNotEmpty()
            next = at
            if (news) emit(changes)
        }
    }

    /** New mail that nobody has acknowledged, oldest first. */
    @JvmOverloads
    @Throws(MailException::class)
    fun newMail(limit: Int = 100): List<Long> = calling { engine.newMail(limit.toLong()) }

    /** The person has been told of these: they are new no more. */
    @Throws(MailException::class)
    fun acknowledgeNewMail(messages: List<Long>) = calling { engine.acknowledgeNewMail(messages) }

    // What a person does.

    /** Sets and clears flags and keywords by their spelling on the wire, and says on how many messages. */
    @JvmOverloads
    @Throws(MailException::class)
    fun setFlags(messages: List<Long>, set: List<String>, clear: List<String> = emptyList()): Long =
        acting { it.setFlags(messages, set, clear, now()) }

    /** Gives messages these flags and keywords and no others. */
    @Throws(MailException::class)
    fun replaceFlags(messages: List<Long>, flags: List<String>): Long =
        acting { it.replaceFlags(messages, flags, now()) }

    /** Moves messages to another mailbox; to one of another account a copy is sent first, and its body has to be here. */
    @Throws(MailException::class)
    fun move(messages: List<Long>, to: Long): Long = acting { it.moveMessages(messages, to, now()) }

    /** Copies messages, and gives the copies' ids. */
    @Throws(MailException::class)
    fun copy(messages: List<Long>, to: Long): List<Long> = acting { it.copyMessages(messages, to, now()) }

    /** Deletes messages: into the Trash; out of the Trash and Junk, for good. */
    @Throws(MailException::class)
    fun delete(messages: List<Long>): Long = acting { it.deleteMessages(messages, now()) }

    /** Deletes messages for good, wherever they are. */
    @Throws(MailException::class)
    fun expunge(messages: List<Long>): Long = acting { it.expungeMessages(messages, now()) }

    /** Moves messages to the account's archive. */
    @Throws(MailException::class)
    fun archive(messages: List<Long>): Long = acting { it.archiveMessages(messages, now()) }

    /** Puts an RFC 5322 message from this device into a mailbox, and gives its id. */
    @JvmOverloads
    @Throws(MailException::class)
    fun append(to: Long, raw: ByteArray, flags: List<String> = emptyList(), receivedMs: Long? = null): Long =
        acting { it.append(to, raw, flags, receivedMs, now()) }

    /** Saves a draft again: the newer version stands in the place of the older. */
    @JvmOverloads
    @Throws(MailException::class)
    fun replaceDraft(message: Long, raw: ByteArray, flags: List<String> = listOf("\\Draft")): Long =
        acting { it.replaceDraft(message, raw, flags, null, now()) }

    /** Marks everything read that is in a mailbox now. */
    @Throws(MailException::class)
    fun markAllRead(mailbox: Long): Long = acting { it.markAllRead(mailbox, now()) }

    /** Deletes everything for good that is in a mailbox now. */
    @Throws(MailException::class)
    fun emptyMailbox(mailbox: Long): Long = acting { it.emptyMailbox(mailbox, now()) }

    /** Makes a mailbox by its full name, on the server or on this device only, and gives its id. */
    @JvmOverloads
    @Throws(MailException::class)
    fun createMailbox(account: Long, name: String, local: Boolean = false, role: Role? = null): Long =
        acting { it.createMailbox(account, name, local, role, now()) }

    /** Gives a mailbox another full name. */
    @Throws(MailException::class)
    fun renameMailbox(mailbox: Long, name: String) = acting { it.renameMailbox(mailbox, name, now()) }

    /** Deletes a mailbox and what is in it. */
    @Throws(MailException::class)
    fun deleteMailbox(mailbox: Long) = acting { it.deleteMailbox(mailbox, now()) }

    /** Subscribes to a mailbox, or no longer. */
    @Throws(MailException::class)
    fun subscribe(mailbox: Long, on: Boolean) = acting { it.subscribe(mailbox, on, now()) }

    /** Says what a mailbox is for, whatever the server says. */
    @Throws(MailException::class)
    fun chooseRole(mailbox: Long, role: Role?) = acting { it.chooseRole(mailbox, role) }

    /** Goes back to the server's word on what a mailbox is for. */
    @Throws(MailException::class)
    fun takeServersRole(mailbox: Long) = acting { it.takeServersRole(mailbox) }

    /** What was done and no server has confirmed, oldest first. */
    @JvmOverloads
    @Throws(MailException::class)
    fun pending(account: Long? = null): List<Operation> = calling { engine.pending(account) }

    /** Takes an operation back that waits, or forgets one that was set aside. */
    @Throws(MailException::class)
    fun cancelOperation(operation: Long) = acting { it.cancelOperation(operation, now()) }

    /** Tries an operation again that was set aside. */
    @Throws(MailException::class)
    fun retryOperation(operation: Long) = acting { it.retryOperation(operation, now()) }

    // Room and upkeep.

    /** What the next sync of a POP3 account would delete from its server, and why. Nothing is done. */
    @JvmOverloads
    @Throws(MailException::class)
    fun retentionPlan(account: Long, nowMs: Long = now()): List<RetentionEntry> =
        calling { engine.retentionPlan(account, nowMs) }

    /** What a POP3 account's server said of how it keeps mail. */
    @Throws(MailException::class)
    fun popServer(account: Long): PopServerInfo = calling { engine.popServer(account) }

    /** What a rule would take from the server, oldest first. Nothing is done. */
    @Throws(MailException::class)
    fun planArchive(account: Long, rule: ArchiveRule): List<ArchiveEntry> = calling { engine.planArchive(account, rule) }

    /** Lets go of bodies until those left take at most [budget] octets, in steps: call it until there is no more. */
    @Throws(MailException::class)
    fun evictBodies(budget: Long): Evicted = acting { it.evictBodies(budget) }

    /** Compresses some bodies; call it until it is done, then [compact]. */
    @JvmOverloads
    @Throws(MailException::class)
    fun shrink(octets: Long = 32L shl 20): ShrinkProgress = calling { engine.shrink(octets) }

    /** Gives unused space back; nothing else runs meanwhile. */
    @Throws(MailException::class)
    fun compact(): Boolean = calling { engine.compact() }

    /** Reads everything and says what is not as it should be. */
    @Throws(MailException::class)
    fun verify(): VerifyReport = calling { engine.verify() }

    /** Figures about the store. */
    @Throws(MailException::class)
    fun stats(): Stats = calling { engine.stats() }

    companion object {
        private val random = SecureRandom()

        private fun now() = System.currentTimeMillis()

        /** Opens the database in a file. [small] takes less memory, as a phone wants it. */
        @JvmStatic
        @JvmOverloads
        @Throws(MailException::class)
        fun open(path: String, create: Boolean = true, small: Boolean = true): Mailkeep {
            val seed = random.nextLong()
            val options = if (small) smallOptions(seed) else desktopOptions(seed)
            return Mailkeep(calling { Engine.open(path, options.copy(create = create)) })
        }

        /** Opens a new store that goes when it is closed. */
        @JvmStatic
        @Throws(MailException::class)
        fun inMemory(): Mailkeep = Mailkeep(calling { Engine.inMemory(smallOptions(random.nextLong())) })
    }
}
