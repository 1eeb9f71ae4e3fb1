package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.Lsn;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The server's messages, encoded whole. */
public final class Reply {
  /** Bytes of a message with WAL before the WAL itself. */
  public static final int WAL_HEADER_BYTES = 30;

  private static final int KEEPALIVE_BYTES = 18;

  /** What a column holds. */
  public enum Type {
    TEXT(25, -1),
    INT4(23, 4),
    INT8(20, 8);

    private final int oid;
    private final int size;

    Type(int oid, int size) {
      this.oid = oid;
      this.size = size;
    }
  }

  /** A column of a result. */
  public record Column(String name, Type type) {}

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private Reply(char type) {
    bytes.write(type);
    int32(0);
  }

  /** The answer to a request for encryption: there is none. */
  public static byte[] noEncryption() {
    return new byte[] {'N'};
  }

  public static byte[] authenticationOk() {
    return new Reply('R').int32(0).end();
  }

  public static byte[] authenticationSasl(String mechanism) {
    return new Reply('R').int32(10).text(mechanism).int8(0).end();
  }

  public static byte[] saslContinue(String message) {
    return new Reply('R').int32(11).raw(message).end();
  }

  public static byte[] saslFinal(String message) {
    return new Reply('R').int32(12).raw(message).end();
  }

  public static byte[] negotiateVersion(List<String> unknownOptions) {
    Reply reply = new Reply('v').int32(3 << 16).int32(unknownOptions.size());
    unknownOptions.forEach(reply::text);
    return reply.end();
  }

  public static byte[] parameterStatus(String name, String value) {
    return new Reply('S').text(name).text(value).end();
  }

  /** What a cancel request would name; there is nothing to cancel. */
  public static byte[] backendKeyData(int process, int secret) {
    return new Reply('K').int32(process).int32(secret).end();
  }

  public static byte[] readyForQuery() {
    return new Reply('Z').int8('I').end();
  }

  public static byte[] commandComplete(String tag) {
    return new Reply('C').text(tag).end();
  }

  public static byte[] emptyQuery() {
    return new Reply('I').end();
  }

  public static byte[] copyBoth() {
    return new Reply('W').int8(0).int16(0).end();
  }

  public static byte[] copyDone() {
    return new Reply('c').end();
  }

  /** An error or the end of the connection. */
  public static byte[] error(SqlError error) {
    String severity = error.isFatal() ? "FATAL" : "ERROR";
    Reply reply =
        new Reply('E')
            .field('S', severity)
            .field('V', severity)
            .field('C', error.sqlState())
            .field('M', String.valueOf(error.getMessage()));
    if (!error.hint().isEmpty()) {
      reply.field('H', error.hint());
    }
    return reply.int8(0).end();
  }

  /** A result of one row: its description, the row, no more. */
  public static byte[] row(List<Column> columns, List<@Nullable String> values) {
    Reply description = new Reply('T').int16(columns.size());
    for (Column column : columns) {
      description
          .text(column.name())
          .int32(0)
          .int16(0)
          .int32(column.type().oid)
          .int16(column.type().size)
          .int32(-1)
          .int16(0);
    }
    Reply row = new Reply('D').int16(values.size());
    for (String value : new ArrayList<@Nullable String>(values)) {
      if (value == null) {
        row.int32(-1);
      } else {
        byte[] encoded = value.getBytes(StandardCharsets.UTF_8);
        row.int32(encoded.length);
        row.bytes.writeBytes(encoded);
      }
    }
    byte[] first = description.end();
    byte[] second = row.end();
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  /**
   * The head of a message with WAL; {@code length} bytes of it follow. See {@code XLogSendPhysical}
   * in {@code walsender.c}.
   *
   * @param end of all that could be sent by now
   * @param clockMicros since 2000
   */
  public static byte[] walHeader(Lsn start, Lsn end, long clockMicros, int length) {
    return ByteBuffer.allocate(WAL_HEADER_BYTES)
        .put((byte) 'd')
        .putInt(WAL_HEADER_BYTES - 1 + length)
        .put((byte) 'w')
        .putLong(start.value())
        .putLong(end.value())
        .putLong(clockMicros)
        .array();
  }

  /** Says that we live and how far we are; see {@code WalSndKeepalive}. */
  public static byte[] keepalive(Lsn sent, long clockMicros, boolean replyRequested) {
    return ByteBuffer.allocate(5 + KEEPALIVE_BYTES)
        .put((byte) 'd')
        .putInt(Integer.BYTES + KEEPALIVE_BYTES)
        .put((byte) 'k')
        .putLong(sent.value())
        .putLong(clockMicros)
        .put((byte) (replyRequested ? 1 : 0))
        .array();
  }

  private Reply field(char code, String value) {
    return int8(code).text(value);
  }

  private Reply int8(int value) {
    bytes.write(value);
    return this;
  }

  private Reply int16(int value) {
    bytes.write(value >>> 8);
    bytes.write(value);
    return this;
  }

  private Reply int32(int value) {
    return int16(value >>> 16).int16(value);
  }

  private Reply raw(String text) {
    bytes.writeBytes(text.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  /** With the zero that ends it; zeroes inside would end it too early. */
  private Reply text(String text) {
    return raw(text.replace('\0', '?')).int8(0);
  }

  private byte[] end() {
    byte[] all = bytes.toByteArray();
    ByteBuffer.wrap(all).putInt(1, all.length - 1);
    return all;
  }
}
