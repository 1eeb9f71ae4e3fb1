package dev.ebb.gateway;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;

/** A client's messages, one behind the other. */
public final class Wire {
  private final Buffer out = Buffer.buffer();
  private int readies;

  public byte[] bytes() {
    return out.getBytes();
  }

  /** How many ReadyForQuery the messages lead to. */
  public int readies() {
    return readies;
  }

  private Wire message(char type, Buffer body) {
    out.appendByte((byte) type).appendInt(body.length() + 4).appendBuffer(body);
    return this;
  }

  private static Buffer text(String text) {
    return Buffer.buffer(text.getBytes(StandardCharsets.UTF_8)).appendByte((byte) 0);
  }

  public Wire query(String sql) {
    readies++;
    return message('Q', text(sql));
  }

  public Wire parse(String name, String sql) {
    return message('P', text(name).appendBuffer(text(sql)).appendShort((short) 0));
  }

  /** With one parameter in text format, or none where it is null. */
  public Wire bind(
      String portal, String statement, @org.jspecify.annotations.Nullable String parameter) {
    Buffer body = text(portal).appendBuffer(text(statement)).appendShort((short) 0);
    if (parameter == null) {
      body.appendShort((short) 0);
    } else {
      byte[] value = parameter.getBytes(StandardCharsets.UTF_8);
      body.appendShort((short) 1).appendInt(value.length).appendBytes(value);
    }
    return message('B', body.appendShort((short) 0));
  }

  public Wire describe(char kind, String name) {
    return message('D', Buffer.buffer().appendByte((byte) kind).appendBuffer(text(name)));
  }

  public Wire close(char kind, String name) {
    return message('C', Buffer.buffer().appendByte((byte) kind).appendBuffer(text(name)));
  }

  public Wire execute(String portal, int rows) {
    return message('E', text(portal).appendInt(rows));
  }

  public Wire sync() {
    readies++;
    return message('S', Buffer.buffer());
  }

  public Wire flush() {
    return message('H', Buffer.buffer());
  }

  public Wire copyData(String data) {
    return message('d', Buffer.buffer(data));
  }

  public Wire copyDone() {
    return message('c', Buffer.buffer());
  }

  public Wire raw(char type, byte[] body) {
    return message(type, Buffer.buffer(body));
  }
}
