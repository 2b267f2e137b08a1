package mailkeep

import java.io.IOException
import java.net.InetSocketAddress
import java.net.Socket
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLSocket
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * What moves bytes to a server and back: a socket of `java.net` ([SocketTransport]), of Ktor, of Android, or anything else with these
 * few functions. Reading and writing may go on at once, on different threads.
 */
interface Transport : AutoCloseable {
    /** Whether what is sent is encrypted. */
    val isSecure: Boolean

    /** Waits for octets, at most as many as [into] holds, and says how many came; -1 at the end. [close] ends the wait. */
    @Throws(IOException::class)
    suspend fun read(into: ByteArray): Int

    /** Sends all of these. */
    @Throws(IOException::class)
    suspend fun write(octets: ByteArray)

    /** Encrypts from here on, and makes sure that it is [host] that answers. Nothing is being read or written meanwhile. */
    @Throws(IOException::class)
    suspend fun startTls(host: String)

    /** Ends the connection, from whatever thread. */
    override fun close()
}

/** A socket of `java.net`, with TLS by JSSE. */
class SocketTransport private constructor(@Volatile private var socket: Socket, private val tls: SSLContext) : Transport {
    override val isSecure: Boolean get() = socket is SSLSocket

    override suspend fun read(into: ByteArray): Int = withContext(Dispatchers.IO) { socket.getInputStream().read(into) }

    override suspend fun write(octets: ByteArray) = withContext(Dispatchers.IO) {
        socket.getOutputStream().run {
            write(octets)
            flush()
        }
    }

    override suspend fun startTls(host: String) = withContext(Dispatchers.IO) { encrypt(host) }

    override fun close() {
        try {
            socket.close()
        } catch (_: IOException) {
            // It is gone either way.
        }
    }

    private fun encrypt(host: String) {
        val encrypted = tls.socketFactory.createSocket(socket, host, socket.port, true) as SSLSocket
        // Without this any valid certificate will do, whomever it names.
        encrypted.sslParameters = encrypted.sslParameters.apply { endpointIdentificationAlgorithm = "HTTPS" }
        encrypted.startHandshake()
        socket = encrypted
    }

    companion object {
        /** Milliseconds that a connection, and a handshake, may take. */
        private const val PATIENCE = 30_000

        /** Connects to an account's server, with TLS where the account has it from the first byte. Blocks. */
        @JvmStatic
        @JvmOverloads
        @Throws(IOException::class)
        fun open(settings: AccountSettings, tls: SSLContext = SSLContext.getDefault()): SocketTransport {
            val socket = Socket()
            try {
                socket.tcpNoDelay = true
                socket.connect(InetSocketAddress(settings.host, settings.port), PATIENCE)
                val transport = SocketTransport(socket, tls)
                if (settings.security == Security.TLS) {
                    socket.soTimeout = PATIENCE
                    transport.encrypt(settings.host)
                    socket.soTimeout = 0
                }
                return transport
            } catch (error: Exception) {
                socket.close()
                throw error
            }
        }

        /** The same without blocking a coroutine's thread. */
        suspend fun connect(settings: AccountSettings, tls: SSLContext = SSLContext.getDefault()): SocketTransport =
            withContext(Dispatchers.IO) { open(settings, tls) }
    }
}
