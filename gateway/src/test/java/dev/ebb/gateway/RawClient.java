package dev.ebb.gateway;

import com.ongres.scram.client.ScramClient;
import dev.ebb.gateway.protocol.StartupMessage;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;

/** A client that does what no driver would. Blocking. */
public final class RawClient implements AutoCloseable {
  private static final int READ_TIMEOUT_MS = 30_000;

  private final Socket socket;
  private final DataInputStream in;
  int processId;
  byte[] secretKey = {};

  private RawClient(Socket socket) throws IOException {
    this.socket = socket;
    this.in = new DataInputStream(socket.getInputStream());
  }

  public static RawClient connect(int port) throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(READ_TIMEOUT_MS);
    return new RawClient(socket);
  }

  public static RawClient login(int port, String user, String password, String database)
      throws Exception {
    RawClient client = connect(port);
    client.startup(user, database);
    client.authenticate(password);
    client.readUntilReady();
    return client;
  }

  public void startup(String user, String database) throws IOException {
    startup(0, user, database);
  }

  void startup(int minorVersion, String user, String database, String... protocolOptions)
      throws IOException {
    var parameters = new LinkedHashMap<String, String>();
    parameters.put("user", user);
    parameters.put("database", database);
    for (String option : protocolOptions) {
      parameters.put(option, "1");
    }
    send(new StartupMessage(minorVersion, parameters, List.of()).encode().getBytes());
  }

  /** The SCRAM exchange; leaves AuthenticationOk unread. */
  public void authenticate(String password) throws Exception {
    expect('R');
    ScramClient scram =
        ScramClient.builder()
            .advertisedMechanisms(List.of("SCRAM-SHA-256"))
            .username("*")
            .password(password.toCharArray())
            .build();
    byte[] first = ascii(scram.clientFirstMessage().toString());
    send(
        Buffer.buffer()
            .appendByte((byte) 'p')
            .appendInt(4 + 14 + 4 + first.length)
            .appendString("SCRAM-SHA-256\0")
            .appendInt(first.length)
            .appendBytes(first)
            .getBytes());
    scram.serverFirstMessage(expect('R').substring(4));
    byte[] last = ascii(scram.clientFinalMessage().toString());
    send(
        Buffer.buffer()
            .appendByte((byte) 'p')
            .appendInt(4 + last.length)
            .appendBytes(last)
            .getBytes());
    scram.serverFinalMessage(expect('R').substring(4));
  }

  public void query(String sql) throws IOException {
    byte[] text = ascii(sql);
    send(
        Buffer.buffer()
            .appendByte((byte) 'Q')
            .appendInt(4 + text.length + 1)
            .appendBytes(text)
            .appendByte((byte) 0)
            .getBytes());
  }

  void cancel(int processId, byte[] secretKey) throws IOException {
    send(
        Buffer.buffer()
            .appendInt(12 + secretKey.length)
            .appendInt(80877102)
            .appendInt(processId)
            .appendBytes(secretKey)
            .getBytes());
  }

  public void send(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  /** The bodies of all messages up to ReadyForQuery. */
  public String readUntilReady() throws IOException {
    var all = new StringBuilder();
    while (true) {
      int type = in.readUnsignedByte();
      byte[] body = in.readNBytes(in.readInt() - 4);
      all.append(new String(body, StandardCharsets.UTF_8));
      if (type == 'K') {
        Buffer key = Buffer.buffer(body);
        processId = key.getInt(0);
        secretKey = key.getBytes(4, key.length());
      }
      if (type == 'Z') {
        return all.toString();
      }
    }
  }

  /**
   * The messages up to so many ReadyForQuery, but for notices of Ebb's own: of each the type and
   * what it says, an error without the place in PostgreSQL's source that it comes from.
   */
  public java.util.List<String> transcript(int readies) throws IOException {
    var all = new java.util.ArrayList<String>();
    int seen = 0;
    while (seen < readies) {
      int first = in.read();
      if (first < 0) {
        all.add("the end");
        return all;
      }
      char type = (char) first;
      String body = new String(in.readNBytes(in.readInt() - 4), StandardCharsets.ISO_8859_1);
      if (type == 'Z') {
        seen++;
      }
      if (type == 'E' || type == 'N') {
        body = body.replaceAll("[FLR][^\\x00]*\\x00(?=[FLR\\x00]|$)", "");
      }
      if (type != 'N' || !body.contains("keeps its connection")) {
        all.add(type + " " + body.replace('\0', '|'));
      }
    }
    return all;
  }

  /** One message's body; fails where it is of another type. */
  public String expect(char type) throws IOException {
    int got = in.readUnsignedByte();
    String body = new String(in.readNBytes(in.readInt() - 4), StandardCharsets.ISO_8859_1);
    if (got != type) {
      throw new IOException("expected " + type + ", got " + (char) got + ": " + body);
    }
    return body;
  }

  int readByte() throws IOException {
    return in.read();
  }

  /** Everything up to the end of the connection, be it orderly or a reset. */
  String readToEnd() throws IOException {
    var all = new ByteArrayOutputStream();
    try {
      in.transferTo(all);
    } catch (SocketException e) {
      all.writeBytes(ascii("<reset>"));
    }
    return all.toString(StandardCharsets.ISO_8859_1);
  }

  public void endOutput() throws IOException {
    socket.shutdownOutput();
  }

  /** What has arrived or arrives next, up to 8 KB; null where the connection is over. */
  public byte @org.jspecify.annotations.Nullable [] readSome() throws IOException {
    var some = new byte[8_192];
    try {
      int bytes = in.read(some);
      return bytes < 0 ? null : java.util.Arrays.copyOf(some, bytes);
    } catch (SocketException e) {
      return null;
    }
  }

  /** How long a read waits. */
  public void patience(int ms) throws IOException {
    socket.setSoTimeout(ms);
  }

  /** Ends the connection as a client that dies does. */
  public void abort() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
