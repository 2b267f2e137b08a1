import java.io.File
import kotlin.system.exitProcess

/**
 * Runs the cases that every language is held to: FIXTURE-FOLDER SERVER-PROGRAM CASES-FILE [CASE]...
 *
 * The last line is "N passed, N failed". A case of the list that is missing here fails, and so does one that is not in the list.
 */
fun main(arguments: Array<String>) {
    val (fixture, server, list) = arguments.map { File(it) }
    val listed = (Json.parse(list.readText()) as List<*>).map { (it as Map<*, *>)["id"] as String }
    val unknown = cases.keys - listed.toSet()
    check(unknown.isEmpty()) { "not in ${list.name}: $unknown" }
    var passed = 0
    var failed = 0
    World(fixture, server).use { world ->
        for (name in arguments.drop(3).ifEmpty { listed }) {
            val started = System.nanoTime()
            try {
                val case = cases[name] ?: throw AssertionError("this case is missing in Kotlin")
                case(world)
                passed++
                println("case $name ... ok (%.1f s)".format((System.nanoTime() - started) / 1e9))
            } catch (error: Throwable) {
                failed++
                error.printStackTrace()
                println("case $name ... FAILED")
            }
        }
    }
    println("$passed passed, $failed failed")
    exitProcess(if (failed == 0) 0 else 1)
}

/** The cases by their ids in tests/cases/cases.json. */
val cases: Map<String, (World) -> Unit> = mapOf(
    "fixture" to ::fixture,
    "offline-sync" to ::offlineSync,
    "offline-work" to ::offlineWork,
    "take-back" to ::takeBack,
    "pop3" to ::pop3,
    "attachment" to ::attachment,
    "cancel" to ::cancel,
    "two-connections" to ::twoConnections,
    "watch" to ::watch,
    "wake" to ::wake,
    "errors" to ::errors,
    "closed-while-busy" to ::closedWhileBusy,
    "suspend" to ::suspendStore,
    "handles" to ::handles,
    "change-feed" to ::changeFeed,
    "commit-thread" to ::commitThread,
    "work-limit" to ::workLimit,
    "backup" to ::backup,
    "starttls" to ::startTls,
)
