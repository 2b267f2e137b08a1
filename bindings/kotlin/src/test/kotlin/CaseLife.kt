import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import mailkeep.CallerException
import mailkeep.ClosedException
import mailkeep.DisconnectedException
import mailkeep.Event
import mailkeep.Fault
import mailkeep.GoneException
import mailkeep.InvalidException
import mailkeep.LeftoverAction
import mailkeep.LockedException
import mailkeep.LoginImpossibleException
import mailkeep.LoginRefusedException
import mailkeep.MailException
import mailkeep.Mailkeep
import mailkeep.MisuseException
import mailkeep.NotADatabaseException
import mailkeep.ServerException
import mailkeep.SignIn
import mailkeep.StorageException
import mailkeep.StoreException
import mailkeep.SuspendedException
import mailkeep.Transport

private inline fun <reified E : MailException> fails(code: Int, act: () -> Unit): E {
    val error = throws<E>(act)
    equal(error.code, code)
    holds(!error.message.isNullOrBlank()) { "no text" }
    val fault = when (error) {
        is StoreException -> Fault.STORE
        is CallerException -> Fault.CALLER
        is ServerException -> Fault.SERVER
        else -> Fault.ENGINE
    }
    equal(error.fault, fault)
    return error
}

/** What a transport is whose other end is closed. */
private object Ended : Transport {
    override val isSecure = true
    override suspend fun read(into: ByteArray) = -1
    override suspend fun write(octets: ByteArray) = throw IOException("closed")
    override suspend fun startTls(host: String) = throw IOException("closed")
    override fun close() = Unit
}

/** Runs this class path in another process. */
private fun elsewhere(program: String, argument: String): String {
    val java = File(System.getProperty("java.home"), "bin/java").path
    val process = ProcessBuilder(
        java, "-cp", System.getProperty("java.class.path"), "-Djna.library.path=${System.getProperty("jna.library.path")}", program, argument,
    ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    return process.inputStream.bufferedReader().readText().trim().also { process.waitFor() }
}

/** Opens a store in a process of its own, and says how that goes. */
object Opener {
    @JvmStatic
    fun main(arguments: Array<String>) = try {
        Mailkeep.open(arguments[0]).close()
        println("opened")
    } catch (error: MailException) {
        println(error.code)
    }
}

/** What another process sees of a file's lock. */
private fun lockOf(path: String): String {
    val process = ProcessBuilder("flock", "--nonblock", "--exclusive", path, "true").start()
    return if (process.waitFor() == 0) "free" else "held"
}

fun errors(world: World) {
    val path = world.path()
    val user = world.server.user()
    val store = Mailkeep.open(path)
    store.use {
        fails<LockedException>(105) { Mailkeep.open(path) }
        equal(elsewhere("Opener", path), "105")
        val foreign = File(world.path()).apply { writeText("not a database ".repeat(1_000)) }
        fails<NotADatabaseException>(102) { Mailkeep.open(foreign.path) }
        equal(foreign.readText(), "not a database ".repeat(1_000))
        fails<StorageException>(100) { Mailkeep.open(File(world.folder, "no/such").path) }

        val account = world.imap(store, user)
        fails<GoneException>(200) { store.message(77) }
        fails<GoneException>(200) { store.mailbox(-1) }
        fails<GoneException>(200) { store.mailbox(1L shl 40) }
        fails<InvalidException>(202) { world.imap(store, user) }
        fails<InvalidException>(202) { store.addAccount(store.account(account).settings.copy(name = "other", port = 70_000)) }
        fails<MisuseException>(201) { store.finishConversion(account, LeftoverAction.Forget) }
        val local = store.createMailbox(account, "Local", local = true)
        val note = store.append(local, "Subject: x\r\n\r\nx\r\n".toByteArray())
        fails<InvalidException>(202) { store.setFlags(listOf(note), listOf("no keyword")) }
        fails<InvalidException>(202) { store.replaceFlags(listOf(note), listOf("(bad")) }
        fails<InvalidException>(202) { store.append(local, ByteArray(0)) }

        fails<LoginRefusedException>(301) { world.connect(store, account, "wrong").syncBlocking(world.transport(store, account)) }
        fails<LoginImpossibleException>(302) {
            store.connect(account, SignIn { null }).syncBlocking(world.transport(store, account))
        }
        fails<DisconnectedException>(304) { world.connect(store, account).syncBlocking(Ended) }
        val givenUp = world.connect(store, account)
        givenUp.close()
        fails<ClosedException>(107) { givenUp.wishSync() }

        store.suspendStore()
        fails<SuspendedException>(106) { store.accounts() }
        store.resume()
        equal(store.accounts().size, 1)
    }
    fails<ClosedException>(107) { store.accounts() }
    store.close()
}

fun closedWhileBusy(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 800, 40, 10_000)
    val path = world.path()
    val store = Mailkeep.open(path)
    val account = world.imap(store, user)
    val connection = world.connect(store, account)
    connection.wishSync()
    val runner = Runner(connection, world.transport(store, account))
    runner.wait { it is Event.Progress && it.done > 20 }
    store.close()
    val error = runner.finish()
    holds(error is ClosedException) { error }
    Mailkeep.open(path, create = false).use { again ->
        equal(again.verify().problems, emptyList<String>())
        world.sync(again, account)
        equal(again.stats().messages, 800L)
        equal(again.verify().problems, emptyList<String>())
    }
}

fun suspendStore(world: World) {
    val path = world.path()
    Mailkeep.open(path).use { store ->
        val account = world.imap(store, world.server.user())
        val local = store.createMailbox(account, "Local", local = true)
        val note = store.append(local, "Subject: kept\r\n\r\nx\r\n".toByteArray())
        equal(lockOf(path), "held")
        store.suspendStore()
        equal(lockOf(path), "free")
        fails<SuspendedException>(106) { store.message(note) }
        fails<SuspendedException>(106) { store.append(local, "x".toByteArray()) }
        store.resume()
        equal(lockOf(path), "held")
        equal(store.message(note).row.subject, "kept")
    }
    equal(lockOf(path), "free")
}

fun backup(world: World) {
    val user = world.server.user()
    world.server.ask("fill", user, "INBOX", 600, 41, 8_000)
    val copy = world.path()
    Mailkeep.open(world.path()).use { store ->
        val account = world.imap(store, user)
        val connection = world.connect(store, account)
        connection.wishSync()
        connection.wishLogout()
        val runner = Runner(connection, world.transport(store, account))
        runner.wait { it is Event.Progress && it.done > 20 }
        store.backupTo(copy)
        val busy = !runner.outcome.isCompleted
        equal(runner.finish(), null)
        holds(busy) { "the sync was over before the copy was made" }
        equal(store.stats().messages, 600L)
        fails<NotADatabaseException>(102) { store.backupTo(copy) }
        Mailkeep.open(copy, create = false).use { other ->
            holds(other.incarnation != store.incarnation) { "the same incarnation" }
            equal(other.verify().problems, emptyList<String>())
            holds(other.stats().messages in 1..600) { other.stats() }
            world.sync(other, account)
            equal(other.stats().messages, 600L)
        }
    }
}

fun handles(world: World) {
    val user = world.server.user()
    // In memory where there is such a place: it is not the disk that is tried here.
    val place = File("/dev/shm").takeIf { it.canWrite() } ?: world.folder
    val file = File.createTempFile("mailkeep-", ".redb", place).apply { delete() }
    try {
        openOften(world, user, file.path)
    } finally {
        file.delete()
    }
}

private fun openOften(world: World, user: String, path: String) {
    val (account, local) = Mailkeep.open(path).use { store ->
        val local = store.createMailbox(world.imap(store, user), "Local", local = true)
        store.append(local, "Subject: x\r\n\r\nx\r\n".toByteArray())
        store.accounts().single().id to local
    }
    var warm = 0L
    for (turn in 0 until 10_000) {
        Mailkeep.open(path, create = false).use { store ->
            if (turn % 10 == 0) {
                store.page(local)
                world.connect(store, account).use { connection ->
                    connection.wishSync()
                    connection.engineConnection.step(ByteBuffer.allocateDirect(0), turn.toLong(), System.currentTimeMillis(), 0).consumed
                }
            }
        }
        if (turn == 999) warm = settled()
    }
    val grown = settled() - warm
    println("10,000 times opened and closed: ${grown shr 10} KB more after the first 1,000")
    holds(grown < 5 shl 20) { "the process grew by ${grown shr 10} KB" }
    val files = File("/proc/self/fd").list()!!.size
    holds(files < 100) { "$files open files" }
}

/** Octets of memory in use, after a collection. Java's own heap is touched whole from the start, and so counts for nothing. */
private fun settled(): Long {
    repeat(3) {
        System.gc()
        Thread.sleep(200)
    }
    return File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }.filter { it.isDigit() }.toLong() * 1024
}
