package dev.ebb.gateway.fuzz;

import io.vertx.core.buffer.Buffer;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Stands in front of a real PostgreSQL and breaks what it says: the answer to whatever has {@link
 * #MARK} in it, and every second login of {@link Fuzzed#HOPEFUL}. A broken answer is sent in one
 * piece, as far as it can be. Everything else passes as it is.
 */
final class NonsensePostgres implements AutoCloseable {
  static final String MARK = "talk nonsense";

  private final ServerSocket server;
  private final int target;
  private final long seed;
  private final AtomicLong connections = new AtomicLong();
  private final List<Socket> open = new CopyOnWriteArrayList<>();
  private final List<String> reused = new CopyOnWriteArrayList<>();

  NonsensePostgres(int target, long seed) throws IOException {
    this.target = target;
    this.seed = seed;
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** What was asked over connections that had said what can only be nonsense. */
  List<String> reused() {
    return List.copyOf(reused);
  }

  private void accept() {
    while (true) {
      try {
        Socket client = server.accept();
        var backend = new Socket(InetAddress.getLoopbackAddress(), target);
        open.add(client);
        open.add(backend);
        var connection = new Connection(client, backend, connections.incrementAndGet());
        Thread.ofVirtual().start(connection::ask);
        Thread.ofVirtual().start(connection::answer);
      } catch (IOException e) {
        return;
      }
    }
  }

  private final class Connection {
    private final Socket client;
    private final Socket backend;
    private final Random random;
    private final boolean mayBreakLogin;
    private volatile boolean breakLogin;
    private volatile boolean breakNext;
    private volatile boolean poisoned;

    Connection(Socket client, Socket backend, long number) {
      this.client = client;
      this.backend = backend;
      this.random = new Random(seed * 7_919 + number);
      this.mayBreakLogin = number % 2 == 0;
    }

    void ask() {
      try (client;
          backend) {
        var bytes = new byte[65_536];
        int count;
        while ((count = client.getInputStream().read(bytes)) > 0) {
          String text = new String(bytes, 0, count, StandardCharsets.ISO_8859_1);
          breakLogin |= mayBreakLogin && text.contains("user\0" + Fuzzed.HOPEFUL + "\0");
          if (poisoned && text.contains("tok_")) {
            reused.add(text);
          }
          breakNext |= text.contains(MARK);
          backend.getOutputStream().write(bytes, 0, count);
        }
      } catch (IOException e) {
        // the other side's end
      }
    }

    void answer() {
      try (client;
          backend) {
        var in = new DataInputStream(backend.getInputStream());
        OutputStream out = client.getOutputStream();
        List<byte[]> gathered = new ArrayList<>();
        while (true) {
          int type = in.readUnsignedByte();
          int length = in.readInt();
          gathered.add(
              Buffer.buffer()
                  .appendByte((byte) type)
                  .appendInt(length)
                  .appendBytes(in.readNBytes(length - 4))
                  .getBytes());
          boolean isReady = type == 'Z';
          if (breakLogin) {
            out.write(Mutation.broken(random, gathered));
            gathered.clear();
            breakLogin = !isReady;
          } else if (breakNext && isReady) {
            breakNext = false;
            out.write(broken(gathered));
            gathered.clear();
          } else if (!breakNext) {
            for (byte[] each : gathered) {
              out.write(each);
            }
            gathered.clear();
          }
        }
      } catch (IOException e) {
        // the other side's end
      }
    }

    private byte[] broken(List<byte[]> answer) {
      if (random.nextBoolean()) {
        return Mutation.broken(random, answer);
      }
      Buffer all = Buffer.buffer();
      answer.forEach(all::appendBytes);
      poisoned = true;
      return all.appendBytes(behind(answer)).getBytes();
    }

    /** What cannot follow ReadyForQuery. */
    private byte[] behind(List<byte[]> answer) {
      return switch (random.nextInt(7)) {
        case 0 -> answer.getLast();
        case 1 -> answer.getFirst();
        case 2 -> answer.get(random.nextInt(answer.size()));
        case 3 -> new byte[] {'%', 0, 0, 0, 4};
        case 4 -> new byte[] {'D', -1, -1, -1, -1};
        case 5 -> new byte[] {'R', 0, 0, 0, 8, 0, 0, 0, 0};
        default -> {
          Buffer twice = Buffer.buffer();
          answer.forEach(twice::appendBytes);
          yield twice.getBytes();
        }
      };
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
