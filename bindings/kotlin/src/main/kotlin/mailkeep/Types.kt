package mailkeep

/** Settings of accounts with the usual defaults; change them by `copy`. */
object Accounts {
    /** An IMAP account: TLS on port 993, all bodies, everything. */
    @JvmStatic
    fun imap(name: String, host: String, user: String): AccountSettings = imapSettings(name, host, user)

    /** A POP3 account: TLS on port 995, everything, and nothing is deleted from the server. */
    @JvmStatic
    fun pop3(name: String, host: String, user: String): AccountSettings = pop3Settings(name, host, user)

    /** An account without a server: its mail is on this device only. */
    @JvmStatic
    fun local(name: String): AccountSettings = localSettings(name)
}

/** Why a connection or a request ended, as an exception of this layer; null where it ended well. */
val Event.failure: MailException?
    get() = when (this) {
        is Event.Done -> error?.toMail()
        is Event.Closed -> error?.toMail()
        else -> null
    }

/** Where to ask the change feed from next. */
val Changes.next: Long
    get() = when (this) {
        is Changes.Since -> next
        is Changes.TooOld -> next
    }
