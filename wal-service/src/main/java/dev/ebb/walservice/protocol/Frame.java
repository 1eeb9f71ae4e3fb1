package dev.ebb.walservice.protocol;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A client's message.
 *
 * @param type its first byte
 * @param body without type and length
 */
public record Frame(char type, byte[] body) {
  /** Before somebody proved who he is. */
  public static final int MAX_LOGIN_BYTES = 8 << 10;

  /** Commands and standby messages are much shorter. */
  public static final int MAX_BYTES = 64 << 10;

  /**
   * The next message, or null at the end of the stream. Memory is taken for what may come, not for
   * what is announced.
   *
   * @param maxBytes longer ones are refused unread
   * @throws EOFException where the stream ends inside a message
   */
  public static @Nullable Frame read(DataInputStream in, int maxBytes) throws IOException {
    int type = in.read();
    if (type < 0) {
      return null;
    }
    return new Frame((char) type, body(in, maxBytes, "message"));
  }

  /** The first packet of a connection, which has no type; null at the end of the stream. */
  public static byte @Nullable [] readStartup(DataInputStream in) throws IOException {
    int first = in.read();
    if (first < 0) {
      return null;
    }
    int length = first << 24 | in.readUnsignedByte() << 16 | in.readUnsignedShort();
    return bytes(in, length, Startup.MAX_BYTES, "startup packet");
  }

  private static byte[] body(DataInputStream in, int maxBytes, String what) throws IOException {
    return bytes(in, in.readInt(), maxBytes, what);
  }

  private static byte[] bytes(DataInputStream in, int length, int maxBytes, String what)
      throws IOException {
    if (length < Integer.BYTES || length - Integer.BYTES > maxBytes) {
      throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "invalid length of " + what);
    }
    var bytes = new byte[length - Integer.BYTES];
    in.readFully(bytes);
    return bytes;
  }

  /** A body that is one text with a zero behind it. */
  public String text() {
    if (body.length == 0 || body[body.length - 1] != 0) {
      throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "invalid string in message");
    }
    for (int i = 0; i < body.length - 1; i++) {
      if (body[i] == 0) {
        throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "invalid message format");
      }
    }
    return new String(body, 0, body.length - 1, StandardCharsets.UTF_8);
  }

  /** The two parts of SASLInitialResponse: mechanism and the client's first message. */
  public List<String> saslInitialResponse() {
    int end = 0;
    while (end < body.length && body[end] != 0) {
      end++;
    }
    int data = end + 1 + Integer.BYTES;
    if (data > body.length) {
      throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "invalid message format");
    }
    int length = java.nio.ByteBuffer.wrap(body).getInt(end + 1);
    if (length != body.length - data) {
      throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "malformed SCRAM message");
    }
    List<String> parts = new ArrayList<>();
    parts.add(new String(body, 0, end, StandardCharsets.US_ASCII));
    parts.add(new String(body, data, length, StandardCharsets.US_ASCII));
    return parts;
  }
}
