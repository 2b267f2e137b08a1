// A recipe, never run here: syncs in the background by WorkManager, and tells of new mail once.
//
// Enqueue it with `PeriodicWorkRequestBuilder<MailWorker>(15, TimeUnit.MINUTES)` and a constraint on the network, under a unique name.
package mailkeep.recipes

import android.content.Context
import androidx.work.CoroutineWorker
import androidx.work.WorkerParameters
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import mailkeep.LoginRefusedException
import mailkeep.Mailkeep
import mailkeep.ServerException
import mailkeep.SocketTransport

class MailWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result = withContext(Dispatchers.IO) {
        // The app's own, opened once in the process: a second opening of the file is refused.
        val store = Stores.mail(applicationContext)
        try {
            for (account in store.accounts()) sync(store, account.id)
            notifyOfNewMail(store)
            Result.success()
        } catch (_: LoginRefusedException) {
            Result.failure()
        } catch (_: ServerException) {
            Result.retry()
        }
    }

    /** WorkManager's stop is the coroutine's cancellation: the sync is taken back and what came whole is kept. */
    private suspend fun sync(store: Mailkeep, account: Long) {
        val settings = store.account(account).settings
        store.connect(account, Stores.signIn(account)).use { connection ->
            coroutineScope {
                launch { connection.run(SocketTransport.connect(settings)) }
                connection.sync()
                connection.logout()
            }
        }
    }

    /** New mail stays new until it is acknowledged: told once, even if the process dies in between. */
    private fun notifyOfNewMail(store: Mailkeep) {
        val fresh = store.newMail()
        if (fresh.isEmpty()) return
        Stores.notify(fresh.map { store.message(it).row })
        store.acknowledgeNewMail(fresh)
    }
}
