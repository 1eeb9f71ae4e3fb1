package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The {@code R} messages, told apart by a number. */
public sealed interface Authentication extends BackendMessage {
  byte TYPE = 'R';

  /** The whole message. */
  Buffer encode();

  /** The login succeeded. */
  record Ok() implements Authentication {
    static final int CODE = 0;

    @Override
    public Buffer encode() {
      return message(CODE, Buffer.buffer());
    }
  }

  /** Offers SASL mechanisms, best first. */
  record Sasl(List<String> mechanisms) implements Authentication {
    static final int CODE = 10;

    @Override
    public Buffer encode() {
      Buffer body = Buffer.buffer();
      mechanisms.forEach(name -> body.appendString(name).appendByte((byte) 0));
      return message(CODE, body.appendByte((byte) 0));
    }
  }

  /** The server's part of the exchange, to be answered. */
  record SaslContinue(String data) implements Authentication {
    static final int CODE = 11;

    @Override
    public Buffer encode() {
      return message(CODE, Buffer.buffer(data));
    }
  }

  /** The server's last part of the exchange. */
  record SaslFinal(String data) implements Authentication {
    static final int CODE = 12;

    @Override
    public Buffer encode() {
      return message(CODE, Buffer.buffer(data));
    }
  }

  /** A method that the gateway does not speak. */
  record Unsupported(int code) implements Authentication {
    @Override
    public Buffer encode() {
      return message(code, Buffer.buffer());
    }
  }

  private static Buffer message(int code, Buffer body) {
    return Buffer.buffer()
        .appendByte(TYPE)
        .appendInt(8 + body.length())
        .appendInt(code)
        .appendBuffer(body);
  }

  /** The client's first answer to {@link Sasl}. */
  static Buffer encodeInitialResponse(String mechanism, String data) {
    byte[] name = mechanism.getBytes(StandardCharsets.UTF_8);
    byte[] text = data.getBytes(StandardCharsets.UTF_8);
    return Buffer.buffer()
        .appendByte(SaslData.TYPE)
        .appendInt(4 + name.length + 1 + 4 + text.length)
        .appendBytes(name)
        .appendByte((byte) 0)
        .appendInt(text.length)
        .appendBytes(text);
  }

  /** The client's answer to {@link SaslContinue}. */
  static Buffer encodeResponse(String data) {
    byte[] text = data.getBytes(StandardCharsets.UTF_8);
    return Buffer.buffer().appendByte(SaslData.TYPE).appendInt(4 + text.length).appendBytes(text);
  }
}
