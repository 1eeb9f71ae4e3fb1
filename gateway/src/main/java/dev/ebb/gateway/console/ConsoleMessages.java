package dev.ebb.gateway.console;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What a server says: PostgreSQL's "Message Formats" chapter. */
final class ConsoleMessages {
  static final short BINARY = 1;

  private ConsoleMessages() {}

  static Buffer empty(char type) {
    return Buffer.buffer(5).appendByte((byte) type).appendInt(4);
  }

  /** A session of the console's has no transactions. */
  static Buffer ready() {
    return message('Z', Buffer.buffer("I"));
  }

  static Buffer parameterStatus(String name, String value) {
    return message('S', text(text(Buffer.buffer(), name), value));
  }

  static Buffer commandComplete(String tag) {
    return message('C', text(Buffer.buffer(), tag));
  }

  static Buffer notice(String message) {
    return fields('N', "NOTICE", "00000", message, "");
  }

  static Buffer error(String sqlState, String message, String hint) {
    return fields('E', "ERROR", sqlState, message, hint);
  }

  private static Buffer fields(
      char type, String severity, String sqlState, String message, String hint) {
    Buffer body = Buffer.buffer();
    text(body.appendByte((byte) 'S'), severity);
    text(body.appendByte((byte) 'V'), severity);
    text(body.appendByte((byte) 'C'), sqlState);
    text(body.appendByte((byte) 'M'), message);
    if (!hint.isEmpty()) {
      text(body.appendByte((byte) 'H'), hint);
    }
    return message(type, body.appendByte((byte) 0));
  }

  /** ParameterDescription: no statement has any. */
  static Buffer noParameters() {
    return message('t', Buffer.buffer().appendShort((short) 0));
  }

  /**
   * RowDescription.
   *
   * @param formats as a Bind gives them: none, one for all, or one for each column
   */
  static Buffer rowDescription(List<Answer.Column> columns, List<Short> formats) {
    Buffer body = Buffer.buffer().appendShort((short) columns.size());
    for (int i = 0; i < columns.size(); i++) {
      Answer.Column column = columns.get(i);
      text(body, column.name())
          .appendInt(0)
          .appendShort((short) 0)
          .appendInt(column.type().oid())
          .appendShort((short) column.type().size())
          .appendInt(-1)
          .appendShort(format(formats, i));
    }
    return message('T', body);
  }

  static Buffer dataRow(List<Answer.Column> columns, Answer.Row row, List<Short> formats) {
    Buffer body = Buffer.buffer().appendShort((short) columns.size());
    for (int i = 0; i < columns.size(); i++) {
      Object value = row.values().get(i);
      if (value == null) {
        body.appendInt(-1);
        continue;
      }
      byte[] bytes = bytes(value, format(formats, i) == BINARY);
      body.appendInt(bytes.length).appendBytes(bytes);
    }
    return message('D', body);
  }

  private static byte[] bytes(Object value, boolean binary) {
    return switch (value) {
      case Long number when binary -> Buffer.buffer(8).appendLong(number).getBytes();
      case Boolean truth when binary -> new byte[] {(byte) (truth ? 1 : 0)};
      case Boolean truth -> new byte[] {(byte) (truth ? 't' : 'f')};
      default -> value.toString().replace('\0', '?').getBytes(StandardCharsets.UTF_8);
    };
  }

  private static short format(List<Short> formats, int column) {
    return switch (formats.size()) {
      case 0 -> 0;
      case 1 -> formats.getFirst();
      default -> column < formats.size() ? formats.get(column) : 0;
    };
  }

  private static Buffer message(char type, Buffer body) {
    return Buffer.buffer(body.length() + 5)
        .appendByte((byte) type)
        .appendInt(body.length() + 4)
        .appendBuffer(body);
  }

  private static Buffer text(Buffer to, String text) {
    return to.appendBytes(text.replace('\0', '?').getBytes(StandardCharsets.UTF_8))
        .appendByte((byte) 0);
  }
}
