package mailkeep

import mailkeep.MailkeepException as Generated

/**
 * Everything that can go wrong. [code] is a stable number for each kind: 1xx where the store is at fault, 2xx the caller, 3xx the
 * server, 4xx the engine itself. The message is for a person.
 */
sealed class MailException(val code: Int, message: String) : Exception(message) {
    /** Who is at fault. */
    val fault: Fault
        get() = when (code / 100) {
            1 -> Fault.STORE
            2 -> Fault.CALLER
            3 -> Fault.SERVER
            else -> Fault.ENGINE
        }
}

/** The storage under the database is at fault. */
sealed class StoreException(code: Int, message: String) : MailException(code, message)

/** The program that calls is at fault, or what its user entered. */
sealed class CallerException(code: Int, message: String) : MailException(code, message)

/** The server broke the protocol, refused, or cannot be reached. */
sealed class ServerException(code: Int, message: String) : MailException(code, message)

/** The storage failed: disk full, no permission, device gone. [Mailkeep.reopen] goes on once the cause is gone. */
class StorageException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The storage failed earlier and the store has not been reopened since. */
class StorageFailedException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The file is no Mailkeep database. It was not touched. */
class NotADatabaseException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The database is damaged. */
class CorruptException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The database was written by a newer version. It was not touched. */
class NewerSchemaException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The database is open already, here or in another process. */
class LockedException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The store is suspended; see [Mailkeep.resume]. */
class SuspendedException internal constructor(code: Int, text: String) : StoreException(code, text)

/** The store or the connection was closed. */
class ClosedException internal constructor(code: Int, text: String) : StoreException(code, text)

/** What was named is not here, or not any more. */
class GoneException internal constructor(code: Int, text: String) : CallerException(code, text)

/** The engine was used in a way its contract forbids. */
class MisuseException internal constructor(code: Int, text: String) : CallerException(code, text)

/** A value that the caller gave cannot be used. */
class InvalidException internal constructor(code: Int, text: String) : CallerException(code, text)

/** The request was cancelled. */
class RequestCancelledException internal constructor(code: Int, text: String) : CallerException(code, text)

/** The server lets this user not do that (RFC 4314). */
class NotPermittedException internal constructor(code: Int, text: String) : CallerException(code, text)

/** The server's bytes break the protocol or a bound. */
class ProtocolException internal constructor(code: Int, text: String) : ServerException(code, text)

/** The server refused a login. */
class LoginRefusedException internal constructor(code: Int, text: String) : ServerException(code, text)

/** Signing in is not possible safely, or not with what both sides have. */
class LoginImpossibleException internal constructor(code: Int, text: String) : ServerException(code, text)

/** The server refused what was asked. */
class RefusedException internal constructor(code: Int, text: String) : ServerException(code, text)

/** The connection ended. */
class DisconnectedException internal constructor(code: Int, text: String) : ServerException(code, text)

/** The server did not answer in time. */
class TimedOutException internal constructor(code: Int, text: String) : ServerException(code, text)

/** The server asks to be left alone for [afterMs] milliseconds. */
class TryLaterException internal constructor(code: Int, text: String, val afterMs: Long) : ServerException(code, text)

/** The engine has a defect that showed here. The store is closed, nothing acknowledged is lost, and it can be opened again. */
class EngineDefectException internal constructor(code: Int, text: String) : MailException(code, text)

/** The exception of this layer for one that was generated. */
internal fun Generated.toMail(): MailException = when (this) {
    is Generated.Storage -> StorageException(code, text)
    is Generated.StorageFailed -> StorageFailedException(code, text)
    is Generated.NotADatabase -> NotADatabaseException(code, text)
    is Generated.Corrupt -> CorruptException(code, text)
    is Generated.NewerSchema -> NewerSchemaException(code, text)
    is Generated.Locked -> LockedException(code, text)
    is Generated.Suspended -> SuspendedException(code, text)
    is Generated.Closed -> ClosedException(code, text)
    is Generated.Gone -> GoneException(code, text)
    is Generated.Misuse -> MisuseException(code, text)
    is Generated.Invalid -> InvalidException(code, text)
    is Generated.Cancelled -> RequestCancelledException(code, text)
    is Generated.NotPermitted -> NotPermittedException(code, text)
    is Generated.Protocol -> ProtocolException(code, text)
    is Generated.LoginRefused -> LoginRefusedException(code, text)
    is Generated.LoginImpossible -> LoginImpossibleException(code, text)
    is Generated.Refused -> RefusedException(code, text)
    is Generated.Disconnected -> DisconnectedException(code, text)
    is Generated.TimedOut -> TimedOutException(code, text)
    is Generated.TryLater -> TryLaterException(code, text, afterMs)
    is Generated.Panicked -> EngineDefectException(code, text)
    is Generated.Other -> EngineDefectException(code, text)
}

/** Calls the engine, and throws this layer's exceptions. */
internal inline fun <R> calling(act: () -> R): R =
    try {
        act()
    } catch (error: Generated) {
        throw error.toMail()
    }
