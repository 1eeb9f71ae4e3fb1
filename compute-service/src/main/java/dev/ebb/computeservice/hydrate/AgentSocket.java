package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.blockmap.DamagedBlocks;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The unix socket on which the processes of one compute reach its agent; {@code agent.c} is the
 * other end and describes the requests. A virtual thread for each connection, one request at a time
 * on each. A request that fails is answered so, and the shim fails closed; a malformed one ends the
 * connection.
 */
public final class AgentSocket implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(AgentSocket.class);

  static final int VERSION = 2;
  static final int REQUEST_BYTES = 32;
  static final int REPLY_BYTES = 16;
  static final int OP_HYDRATE = 1;
  static final int OP_WAIT_DURABLE = 2;
  static final int OP_HINT = 3;
  static final int STATUS_OK = 0;
  static final int STATUS_FAILED = 1;
  static final int STATUS_DAMAGED = 3;

  /** Connections waiting to be accepted: every process of a compute may come at once. */
  private static final int BACKLOG = 1024;

  private final Path path;
  private final HydrationHandler handler;
  private final ServerSocketChannel server;
  private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
  private final Thread acceptor;
  private volatile boolean closed;

  private AgentSocket(Path path, HydrationHandler handler, ServerSocketChannel server) {
    this.path = path;
    this.handler = handler;
    this.server = server;
    this.acceptor =
        Thread.ofVirtual()
            .name("agent-accept")
            .unstarted(
                new AcceptLoop<>(path.toString(), server::accept, this::accepted, Thread::sleep)
                    ::run);
  }

  /**
   * Listens at a path of at most 107 bytes, in a directory that only this process writes to.
   *
   * @param owner the user that {@code postgres} runs as: nobody else but root can connect; null if
   *     that is this process's own
   */
  public static AgentSocket open(Path path, @Nullable UserPrincipal owner, HydrationHandler handler)
      throws IOException {
    Files.deleteIfExists(path);
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    AgentSocket socket = new AgentSocket(path, handler, server);
    try {
      server.bind(UnixDomainSocketAddress.of(path), BACKLOG);
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
      if (owner != null) {
        Files.getFileAttributeView(path, PosixFileAttributeView.class).setOwner(owner);
      }
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
    socket.acceptor.start();
    return socket;
  }

  private void accepted(SocketChannel connection) {
    connections.add(connection);
    Thread thread = Thread.ofVirtual().name("agent-connection").unstarted(() -> serve(connection));
    threads.add(thread);
    thread.start();
    if (closed) {
      try {
        connection.close();
      } catch (IOException e) {
        log.debug("a connection at {} did not close: {}", path, e.toString());
      }
    }
  }

  private void serve(SocketChannel connection) {
    ByteBuffer request = ByteBuffer.allocate(REQUEST_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer reply = ByteBuffer.allocate(REPLY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (connection) {
      while (readWhole(connection, request)) {
        if (request.getShort(2) != VERSION) {
          throw new IOException("the shim speaks version " + request.getShort(2));
        }
        if (request.getShort(0) == OP_HINT) {
          handler.hint(
              request.getInt(4), request.getInt(8), request.getInt(12), request.getInt(16));
          request.clear();
          continue;
        }
        Answer answer = answer(request);
        reply.clear().putShort((short) answer.status()).putShort((short) VERSION);
        reply.putInt(request.getInt(20)).putInt(answer.detail()).putInt(0).flip();
        while (reply.hasRemaining()) {
          connection.write(reply);
        }
        request.clear();
      }
    } catch (ClosedChannelException _) {
      // closed from here, or the process ended
    } catch (IOException e) {
      if (!closed) {
        log.debug("connection of a compute's process ended: {}", e.getMessage());
      }
    } finally {
      connections.remove(connection);
      threads.remove(Thread.currentThread());
    }
  }

  /**
   * What the shim is told.
   *
   * @param detail of DAMAGED: the first such block
   */
  private record Answer(int status, int detail) {
    static final Answer OK = new Answer(STATUS_OK, 0);
    static final Answer FAILED = new Answer(STATUS_FAILED, 0);
  }

  private Answer answer(ByteBuffer request) throws IOException {
    int op = request.getShort(0);
    try {
      switch (op) {
        case OP_HYDRATE ->
            handler.hydrate(
                request.getInt(4),
                request.getInt(8),
                request.getInt(12),
                request.getInt(16),
                request.getInt(24));
        case OP_WAIT_DURABLE -> handler.waitDurable(Integer.toUnsignedLong(request.getInt(28)));
        default -> throw new IOException("the shim asks for unknown operation " + op);
      }
      return Answer.OK;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return Answer.FAILED;
    } catch (DamagedBlocks e) {
      return new Answer(STATUS_DAMAGED, e.firstDamaged());
    } catch (IOException | RuntimeException e) {
      if (!closed) {
        log.warn(
            "request {} of process {} for entry {} blocks {} + {} failed",
            op,
            request.getInt(24),
            request.getInt(4),
            request.getInt(12),
            request.getInt(16),
            e);
      }
      return Answer.FAILED;
    }
  }

  /** False at a clean end. */
  private static boolean readWhole(SocketChannel connection, ByteBuffer buffer) throws IOException {
    buffer.clear();
    while (buffer.hasRemaining()) {
      if (connection.read(buffer) < 0) {
        if (buffer.position() > 0) {
          throw new EOFException("a request was cut short");
        }
        return false;
      }
    }
    return true;
  }

  /** Stops listening and ends every connection; requests under way are interrupted. */
  @Override
  public void close() throws IOException {
    closed = true;
    server.close();
    acceptor.interrupt();
    for (Thread thread : threads) {
      thread.interrupt();
    }
    for (SocketChannel connection : connections) {
      connection.close();
    }
    Files.deleteIfExists(path);
  }
}
