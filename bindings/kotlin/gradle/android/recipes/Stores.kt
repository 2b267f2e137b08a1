// A recipe, never run here: the one store of an app's process, and what the app itself brings.
package mailkeep.recipes

import android.content.Context
import java.io.File
import mailkeep.Credentials
import mailkeep.Mailkeep
import mailkeep.MessageRow
import mailkeep.SignIn

object Stores {
    private var mail: Mailkeep? = null

    /** Gives credentials out of the Android key store or an OAuth library; set when the app starts. */
    lateinit var vault: suspend (account: Long, mechanisms: List<String>) -> Credentials?

    /** Shows notifications; set when the app starts. */
    lateinit var notify: (List<MessageRow>) -> Unit

    /** Not in the backup set: a copy that is restored elsewhere would set what was pending aside. */
    @Synchronized
    fun mail(context: Context): Mailkeep =
        mail ?: Mailkeep.open(File(context.noBackupFilesDir, "mail.redb").path).also { mail = it }

    /** Asked each time a server wants to know, so that a token can be fresh. */
    fun signIn(account: Long) = SignIn { mechanisms -> vault(account, mechanisms) }
}
