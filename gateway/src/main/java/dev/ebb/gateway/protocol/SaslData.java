package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The body of a {@code p} message; what it is, the state of the login tells: a {@link
 * SaslInitialResponse} first, then a {@link SaslResponse}.
 */
public record SaslData(byte[] body) implements FrontendMessage {
  static final byte TYPE = 'p';

  /** Reads the body as the first message of the exchange. */
  public SaslInitialResponse asInitialResponse() {
    ByteBuf in = Unpooled.wrappedBuffer(body);
    String mechanism = WireText.read(in, "the name of the SASL mechanism");
    if (in.readableBytes() < 4) {
      throw new ProtocolViolation("malformed SASLInitialResponse");
    }
    int length = in.readInt();
    if (length == -1 && !in.isReadable()) {
      return new SaslInitialResponse(mechanism, null);
    }
    if (length != in.readableBytes()) {
      throw new ProtocolViolation("malformed SASLInitialResponse");
    }
    return new SaslInitialResponse(mechanism, text(in));
  }

  /** Reads the body as a later message of the exchange. */
  public SaslResponse asResponse() {
    return new SaslResponse(text(Unpooled.wrappedBuffer(body)));
  }

  private static String text(ByteBuf in) {
    return in.toString(StandardCharsets.UTF_8);
  }

  /**
   * The client's first message.
   *
   * @param data null where the client sent none
   */
  public record SaslInitialResponse(String mechanism, @Nullable String data) {
    @Override
    public String toString() {
      return "SaslInitialResponse[***]";
    }
  }

  /** A later message of the client's. */
  public record SaslResponse(String data) {
    @Override
    public String toString() {
      return "SaslResponse[***]";
    }
  }

  @Override
  public String toString() {
    return "SaslData[***]";
  }
}
