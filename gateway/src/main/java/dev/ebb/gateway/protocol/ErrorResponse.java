package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An error. The gateway's own are all FATAL: the connection ends behind them.
 *
 * @param fields by their type byte, in order
 */
public record ErrorResponse(Map<Character, String> fields) implements BackendMessage {
  static final byte TYPE = 'E';

  /** An error behind which the connection ends. */
  public static ErrorResponse fatal(String sqlState, String message) {
    var fields = new LinkedHashMap<Character, String>();
    fields.put('S', "FATAL");
    fields.put('V', "FATAL");
    fields.put('C', sqlState);
    fields.put('M', message);
    return new ErrorResponse(fields);
  }

  public String sqlState() {
    return fields.getOrDefault('C', "XX000");
  }

  public String message() {
    return fields.getOrDefault('M', "");
  }

  /** With a text added to its DETAIL, on a line of its own. */
  public ErrorResponse withDetail(String added) {
    var more = new LinkedHashMap<>(fields);
    more.merge('D', added, (detail, text) -> detail + "\n" + text);
    return new ErrorResponse(more);
  }

  /** With what the client can do. */
  public ErrorResponse withHint(String hint) {
    var more = new LinkedHashMap<>(fields);
    more.put('H', hint);
    return new ErrorResponse(more);
  }

  /** The whole message. */
  public Buffer encode() {
    Buffer out = Buffer.buffer().appendByte(TYPE).appendInt(0);
    fields.forEach((type, text) ->
        out.appendByte((byte) type.charValue())
            .appendBytes(text.replace('\0', '?').getBytes(StandardCharsets.UTF_8))
            .appendByte((byte) 0));
    out.appendByte((byte) 0);
    return out.setInt(1, out.length() - 1);
  }

  static ErrorResponse decode(ByteBuf body) {
    var fields = new LinkedHashMap<Character, String>();
    while (body.isReadable()) {
      byte type = body.readByte();
      if (type == 0) {
        break;
      }
      fields.put((char) type, WireText.read(body, "an error's field"));
    }
    return new ErrorResponse(fields);
  }
}
