package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads what a compute sends until it is ready for the first statement. */
public final class BackendDecoder {
  /** No message of a login is longer: PostgreSQL keeps its errors under 30,000 bytes. */
  public static final int MAX_BODY_BYTES = 64 << 10;

  private BackendDecoder() {}

  /**
   * Takes one message from {@code in}.
   *
   * @return null where more bytes are needed; nothing is taken then
   * @throws ProtocolViolation as soon as the bytes cannot become a message
   */
  public static @Nullable BackendMessage decode(ByteBuf in) {
    if (in.readableBytes() < 5) {
      return null;
    }
    int start = in.readerIndex();
    int length = in.getInt(start + 1);
    if (length < 4 || length > MAX_BODY_BYTES + 4) {
      throw new ProtocolViolation("the compute sent a message of impossible length");
    }
    if (in.readableBytes() < length + 1) {
      return null;
    }
    ByteBuf whole = in.readSlice(length + 1);
    byte type = whole.getByte(whole.readerIndex());
    ByteBuf body = whole.slice(whole.readerIndex() + 5, length - 4);
    return switch (type) {
      case Authentication.TYPE -> authentication(body);
      case ReadyForQuery.TYPE -> new ReadyForQuery(require(body, 1).readByte());
      case BackendKeyData.TYPE -> backendKeyData(body);
      case NegotiateProtocolVersion.TYPE -> NegotiateProtocolVersion.decode(body);
      case ErrorResponse.TYPE -> ErrorResponse.decode(body);
      default -> {
        var bytes = new byte[length + 1];
        whole.getBytes(whole.readerIndex(), bytes);
        yield new VerbatimMessage(type, bytes);
      }
    };
  }

  private static BackendKeyData backendKeyData(ByteBuf body) {
    String wrong = "the compute sent a cancel key of impossible length";
    if (body.readableBytes() < Integer.BYTES) {
      throw new ProtocolViolation(wrong);
    }
    return new BackendKeyData(body.readInt(), SecretKey.read(body, SecretKey.SHORT_BYTES, wrong));
  }

  private static Authentication authentication(ByteBuf body) {
    if (body.readableBytes() < 4) {
      throw new ProtocolViolation("the compute sent a truncated message");
    }
    int code = body.readInt();
    return switch (code) {
      case Authentication.Ok.CODE -> new Authentication.Ok();
      case Authentication.Sasl.CODE -> new Authentication.Sasl(mechanisms(body));
      case Authentication.SaslContinue.CODE -> new Authentication.SaslContinue(text(body));
      case Authentication.SaslFinal.CODE -> new Authentication.SaslFinal(text(body));
      default -> new Authentication.Unsupported(code);
    };
  }

  private static List<String> mechanisms(ByteBuf body) {
    var names = new ArrayList<String>();
    while (body.isReadable() && body.getByte(body.readerIndex()) != 0) {
      names.add(WireText.read(body, "the name of a SASL mechanism"));
    }
    return List.copyOf(names);
  }

  private static ByteBuf require(ByteBuf body, int bytes) {
    if (body.readableBytes() != bytes) {
      throw new ProtocolViolation("the compute sent a message of wrong length");
    }
    return body;
  }

  private static String text(ByteBuf body) {
    return body.toString(StandardCharsets.UTF_8);
  }
}
