package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * An ErrorResponse as it is on the wire, in whatever encoding the client has chosen: nothing is
 * decoded but what is ASCII in all of them.
 *
 * @param bytes the whole message
 */
public record ErrorFrame(byte[] bytes) {
  private static final int HEADER_BYTES = 5;
  private static final byte SEVERITY = 'V';
  private static final byte SQLSTATE = 'C';
  private static final byte MESSAGE = 'M';
  private static final byte DETAIL = 'D';

  /** Takes the whole of {@code message}. */
  public static ErrorFrame read(ByteBuf message) {
    var bytes = new byte[message.readableBytes()];
    message.readBytes(bytes);
    return new ErrorFrame(bytes);
  }

  public String sqlState() {
    return text(SQLSTATE);
  }

  /** Whether the connection ends behind it. */
  public boolean isFatal() {
    String severity = text(SEVERITY);
    return severity.equals("FATAL") || severity.equals("PANIC");
  }

  /** The message's text, as far as it is ASCII. */
  public String message() {
    return text(MESSAGE);
  }

  /** Message and detail; what is not ASCII in it is not to be relied upon. */
  public String words() {
    return text(MESSAGE) + "\n" + text(DETAIL);
  }

  private String text(byte type) {
    int start = field(type);
    return start < 0
        ? ""
        : new String(bytes, start, endOf(start) - start, StandardCharsets.ISO_8859_1);
  }

  /** Where a field's text begins, or -1. */
  private int field(byte type) {
    for (int at = HEADER_BYTES; at < bytes.length && bytes[at] != 0; at = endOf(at + 1) + 1) {
      if (bytes[at] == type) {
        return at + 1;
      }
    }
    return -1;
  }

  /** The zero byte behind a text; none is part of a character in any encoding of PostgreSQL's. */
  private int endOf(int start) {
    int at = start;
    while (at < bytes.length && bytes[at] != 0) {
      at++;
    }
    return at;
  }

  /**
   * The whole message with a text added to its DETAIL, on a line of its own.
   *
   * @param added anything that is not printable ASCII becomes {@code ?}; empty: no change
   */
  public byte[] withDetail(String added) {
    if (added.isEmpty()) {
      return bytes;
    }
    byte[] text = added.replaceAll("[^ -~]", "?").getBytes(StandardCharsets.US_ASCII);
    int detail = field(DETAIL);
    int at = detail < 0 ? terminator() : endOf(detail);
    byte[] insertion;
    if (detail < 0) {
      insertion = new byte[text.length + 2];
      insertion[0] = DETAIL;
      System.arraycopy(text, 0, insertion, 1, text.length);
    } else {
      insertion = new byte[text.length + 1];
      insertion[0] = '\n';
      System.arraycopy(text, 0, insertion, 1, text.length);
    }
    byte[] longer = Arrays.copyOf(bytes, bytes.length + insertion.length);
    System.arraycopy(bytes, at, longer, at + insertion.length, bytes.length - at);
    System.arraycopy(insertion, 0, longer, at, insertion.length);
    int length = longer.length - 1;
    for (int i = 0; i < 4; i++) {
      longer[1 + i] = (byte) (length >>> (24 - 8 * i));
    }
    return longer;
  }

  /** Where the byte behind the last field is. */
  private int terminator() {
    int at = HEADER_BYTES;
    while (at < bytes.length && bytes[at] != 0) {
      at = endOf(at + 1) + 1;
    }
    return Math.min(at, bytes.length);
  }
}
