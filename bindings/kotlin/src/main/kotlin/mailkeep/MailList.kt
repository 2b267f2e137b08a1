package mailkeep

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/** What a mailbox's list shows now. */
data class Listed(
    /** The rows that were loaded, newest first. */
    val rows: List<MessageRow>,
    /** There is more to load. */
    val more: Boolean,
)

/** A loaded page, or word that the key before it is good no more. The shape is that of Jetpack Paging's `LoadResult`. */
sealed class Loaded {
    /** Rows, and the key of what follows; null at the end. */
    class Page(val rows: List<MessageRow>, val nextKey: ByteArray?) : Loaded()

    /** The mailbox is gone. */
    object Gone : Loaded()
}

/**
 * Pages of a mailbox, as a `PagingSource` wants them: [load] gives one page by the key of the last, [invalidations] says that what
 * was loaded changed.
 */
class MessageSource(private val store: Mailkeep, private val mailbox: Long) {
    /** One page, from behind the key of the page before. */
    suspend fun load(key: ByteArray?, size: Int): Loaded = withContext(Dispatchers.IO) {
        try {
            val page = store.page(mailbox, key, size)
            Loaded.Page(page.rows, page.next)
        } catch (_: GoneException) {
            Loaded.Gone
        }
    }

    /** Something in this mailbox changed since a commit. */
    fun invalidations(since: Long): Flow<Unit> = store.changes(since).filter { touches(it) }.map { }

    private fun touches(changes: Changes): Boolean = when (changes) {
        is Changes.TooOld -> true
        is Changes.Since -> changes.changes.any { it.mailbox == mailbox }
    }
}

/**
 * A mailbox's list on a screen: loads page by page, and follows the change feed by reading again only what it names.
 *
 * Collect [state], call [loadMore] when the person comes near the end, and run [follow] as long as the screen is there.
 */
class MailList(private val store: Mailkeep, private val mailbox: Long, private val pageSize: Int = 50) {
    private val mutex = Mutex()
    private val shown = MutableStateFlow(Listed(emptyList(), true))
    private var cursor: ByteArray? = null
    private var next = 0L

    /** What to show. */
    val state: StateFlow<Listed> = shown.asStateFlow()

    /** Loads another page. */
    suspend fun loadMore() = mutex.withLock {
        if (!shown.value.more) return@withLock
        val rows = shown.value.rows
        // The feed is asked from before the first page was read, so that nothing falls between.
        if (rows.isEmpty()) next = io { store.lastCommit() }
        val page = io { store.page(mailbox, cursor, pageSize) }
        cursor = page.next
        shown.value = Listed(merged(rows, page.rows), page.next != null)
    }

    /** Keeps what was loaded true, until the coroutine is cancelled. */
    suspend fun follow() {
        if (shown.value.rows.isEmpty()) loadMore()
        store.changes(next).collect { changes -> mutex.withLock { apply(changes) } }
    }

    private suspend fun apply(changes: Changes) {
        when (changes) {
            is Changes.TooOld -> reload()
            is Changes.Since -> redraw(changes.changes.filter { it.mailbox == mailbox })
        }
        next = changes.next
    }

    /** Everything that was loaded is read again. */
    private suspend fun reload() {
        val wanted = maxOf(pageSize, shown.value.rows.size)
        val page = io { store.page(mailbox, null, wanted) }
        cursor = page.next
        shown.value = Listed(page.rows, page.next != null)
    }

    private suspend fun redraw(changes: List<Change>) {
        val named = changes.mapNotNull { it.message }.toSet()
        if (named.isEmpty()) return
        val read = io { named.mapNotNull { id -> read(id) } }
        val kept = shown.value.rows.filter { it.id !in named }
        val end = shown.value.rows.lastOrNull()
        // What is older than all that was loaded comes when it is loaded.
        val fits = read.filter { !shown.value.more || end == null || order.compare(it, end) <= 0 }
        shown.value = Listed(merged(kept, fits), shown.value.more)
    }

    private fun read(message: Long): MessageRow? = try {
        store.row(message).takeIf { it.mailbox == mailbox }
    } catch (_: GoneException) {
        null
    }

    private fun merged(some: List<MessageRow>, others: List<MessageRow>): List<MessageRow> =
        (some + others).associateBy { it.id }.values.sortedWith(order)

    private suspend fun <R> io(act: () -> R): R = withContext(Dispatchers.IO) { act() }

    private companion object {
        /** The store's own: newest first by INTERNALDATE, then by id. */
        val order: Comparator<MessageRow> = compareByDescending<MessageRow> { it.internalDate }.thenByDescending { it.id }
    }
}

/** The mailbox that a change is in; null where it is in none. */
val Change.mailbox: Long?
    get() = when (this) {
        is Change.Mailbox -> mailbox
        is Change.MessageAdded -> mailbox
        is Change.MessageChanged -> mailbox
        is Change.MessageRemoved -> mailbox
        else -> null
    }

/** The message that changed; null where it is none. */
val Change.message: Long?
    get() = when (this) {
        is Change.MessageAdded -> message
        is Change.MessageChanged -> message
        is Change.MessageRemoved -> message
        else -> null
    }
