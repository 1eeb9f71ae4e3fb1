package dev.ebb.shared.store;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * An HTTP/1.1 proxy in front of an S3 server that does to requests what networks and busy servers
 * do, and remembers every request.
 */
public final class FaultyProxy implements AutoCloseable {
  /** What happens to a request. */
  public enum Fault {
    NONE,
    /** The connection ends; the server never hears of the request. */
    DROP_BEFORE,
    /** The server has done it; the connection ends without its answer. */
    DROP_AFTER,
    /** The server has done it; half of its answer's body comes. */
    TRUNCATE,
    /** 503 in the server's place. */
    SLOW_DOWN,
    /** Nothing is heard any more, and the server does not hear of the request. */
    HANG_BEFORE,
    /** The server has done it, and its answer never comes. */
    HANG_AFTER
  }

  /** Decides on each request. */
  @FunctionalInterface
  public interface Plan {
    Fault next(String method, String path);
  }

  /** A request as the proxy saw it. */
  public record Seen(String method, String path, long beganNanos, long endedNanos, Fault fault) {}

  private final InetSocketAddress server;
  private final ServerSocket listener;
  private final List<Seen> seen = new CopyOnWriteArrayList<>();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile Plan plan = (method, path) -> Fault.NONE;
  private volatile long delayMs;
  private volatile UnaryOperator<String> edit = UnaryOperator.identity();

  /** In front of a server such as {@code http://127.0.0.1:9000}. */
  public FaultyProxy(String endpoint) {
    URI uri = URI.create(endpoint);
    server = new InetSocketAddress(uri.getHost(), uri.getPort());
    try {
      listener = new ServerSocket(0, 256, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    Thread.ofVirtual().name("faulty-proxy").start(this::accept);
  }

  public String endpoint() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  /** The same place behind this proxy. */
  public S3Config behind(S3Config config) {
    return new S3Config(
        endpoint(),
        config.bucket(),
        config.prefix(),
        config.region(),
        config.credentials(),
        config.limits());
  }

  /** From now on. */
  public void plan(Plan next) {
    plan = next;
  }

  /** Faults of these kinds at random, in {@code percent} of the requests; a seed repeats it. */
  public static Plan random(long seed, int percent, Fault... kinds) {
    var random = new Random(seed);
    return (method, path) -> {
      synchronized (random) {
        return random.nextInt(100) < percent ? kinds[random.nextInt(kinds.length)] : Fault.NONE;
      }
    };
  }

  /** One fault, at the first request of a method. */
  public static Plan once(Fault fault, String method) {
    var left = new AtomicInteger(1);
    return (m, path) -> m.equals(method) && left.getAndDecrement() > 0 ? fault : Fault.NONE;
  }

  /** Added to every request from now on. */
  public void delayMs(long ms) {
    delayMs = ms;
  }

  /** Changes the header of each answer from now on. */
  public void edit(UnaryOperator<String> change) {
    edit = change;
  }

  private byte[] editedHead(Message answer) {
    return edit.apply(new String(answer.head(), StandardCharsets.ISO_8859_1))
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  /** All requests so far, in the order in which they ended. */
  public List<Seen> seen() {
    return List.copyOf(seen);
  }

  public void forget() {
    seen.clear();
  }

  /** The most requests that came one after the other, each when the one before had its answer. */
  public static int longestChain(List<Seen> requests) {
    long end = Long.MIN_VALUE;
    int length = 0;
    for (Seen request :
        requests.stream().sorted(java.util.Comparator.comparingLong(Seen::endedNanos)).toList()) {
      if (request.beganNanos() >= end) {
        length++;
        end = request.endedNanos();
      }
    }
    return length;
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> serve(client));
      } catch (IOException e) {
        if (!listener.isClosed()) {
          throw new IllegalStateException(e);
        }
      }
    }
  }

  private void serve(Socket client) {
    Socket upstream = new Socket();
    try (client;
        upstream) {
      open.add(upstream);
      client.setTcpNoDelay(true);
      var in = new BufferedInputStream(client.getInputStream());
      upstream.connect(server);
      upstream.setTcpNoDelay(true);
      var answers = new BufferedInputStream(upstream.getInputStream());
      while (exchange(in, client.getOutputStream(), answers, upstream.getOutputStream())) {
        // the next request of this connection
      }
    } catch (IOException | InterruptedException e) {
      // either side is gone: so is the other
    } finally {
      open.remove(client);
      open.remove(upstream);
    }
  }

  private boolean exchange(
      InputStream client, OutputStream toClient, InputStream server, OutputStream toServer)
      throws IOException, InterruptedException {
    Message request = Message.read(client, null);
    if (request == null) {
      return false;
    }
    long began = System.nanoTime();
    String[] line = request.line().split(" ", -1);
    Fault fault = plan.next(line[0], line[1]);
    try {
      if (delayMs > 0) {
        Thread.sleep(delayMs);
      }
      return pass(request, line[0], fault, toClient, server, toServer);
    } finally {
      seen.add(new Seen(line[0], line[1], began, System.nanoTime(), fault));
    }
  }

  private boolean pass(
      Message request,
      String method,
      Fault fault,
      OutputStream toClient,
      InputStream server,
      OutputStream toServer)
      throws IOException, InterruptedException {
    switch (fault) {
      case DROP_BEFORE -> {
        return false;
      }
      case HANG_BEFORE -> {
        closed.await();
        return false;
      }
      case SLOW_DOWN -> {
        toClient.write(slowDown(method));
        toClient.flush();
        return true;
      }
      case NONE, DROP_AFTER, TRUNCATE, HANG_AFTER -> {
        toServer.write(request.head());
        toServer.write(request.body());
        toServer.flush();
      }
    }
    Message answer = Message.read(server, method);
    if (answer == null) {
      throw new EOFException("the server is gone");
    }
    return switch (fault) {
      case HANG_AFTER -> {
        closed.await();
        yield false;
      }
      case TRUNCATE -> {
        toClient.write(editedHead(answer));
        toClient.write(answer.body(), 0, answer.body().length / 2);
        toClient.flush();
        yield answer.body().length == 0;
      }
      case DROP_AFTER -> false;
      case NONE, DROP_BEFORE, SLOW_DOWN, HANG_BEFORE -> {
        toClient.write(editedHead(answer));
        toClient.write(answer.body());
        toClient.flush();
        yield true;
      }
    };
  }

  private static byte[] slowDown(String method) {
    String body =
        "HEAD".equals(method)
            ? ""
            : "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code>"
                + "<Message>Please reduce your request rate.</Message></Error>";
    return ("HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body)
        .getBytes(StandardCharsets.US_ASCII);
  }

  /** A request or an answer, whole, as it was sent. */
  private record Message(byte[] head, String line, byte[] body) {
    /**
     * Reads one; null at the end of the connection.
     *
     * @param method of the request that this answers, or null for a request
     */
    static @Nullable Message read(InputStream in, @Nullable String method) throws IOException {
      var head = new ByteArrayOutputStream();
      String line = line(in, head);
      if (line == null) {
        return null;
      }
      Map<String, String> headers = new TreeMap<>();
      for (String header = line(in, head); !"".equals(header); header = line(in, head)) {
        if (header == null) {
          throw new EOFException("in a header");
        }
        int colon = header.indexOf(':');
        headers.put(
            header.substring(0, colon).toLowerCase(Locale.ROOT),
            header.substring(colon + 1).trim());
      }
      boolean bodyless =
          "HEAD".equals(method)
              || (method != null && (line.contains(" 204") || line.contains(" 304")));
      byte[] body = new byte[0];
      if (!bodyless && headers.getOrDefault("transfer-encoding", "").contains("chunked")) {
        body = chunks(in);
      } else if (!bodyless) {
        int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
        body = in.readNBytes(length);
        if (body.length < length) {
          throw new EOFException("in a body");
        }
      }
      return new Message(head.toByteArray(), line, body);
    }

    private static byte[] chunks(InputStream in) throws IOException {
      var all = new ByteArrayOutputStream();
      while (true) {
        String size = line(in, all);
        if (size == null) {
          throw new EOFException("in a chunk");
        }
        int bytes = Integer.parseInt(size.split(";", -1)[0].trim(), 16);
        all.write(in.readNBytes(bytes));
        line(in, all);
        if (bytes == 0) {
          return all.toByteArray();
        }
      }
    }

    /** A line without its end; null at the end of the connection. */
    private static @Nullable String line(InputStream in, OutputStream copy) throws IOException {
      var line = new ByteArrayOutputStream();
      for (int b = in.read(); b != '\n'; b = in.read()) {
        if (b < 0) {
          return null;
        }
        copy.write(b);
        if (b != '\r') {
          line.write(b);
        }
      }
      copy.write('\n');
      return line.toString(StandardCharsets.ISO_8859_1);
    }
  }

  /** Ends every connection. */
  public void dropAll() {
    for (Socket socket : new ArrayList<>(open)) {
      try {
        socket.close();
      } catch (IOException e) {
        // it is gone
      }
    }
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      listener.close();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    dropAll();
  }
}
