package dev.ebb.gateway.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.vertx.core.buffer.Buffer;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BackendDecoderTest {
  private static final SecretKey LONGEST = SecretKey.random(new SecureRandom(), 256);

  private static ByteBuf in(Buffer bytes) {
    return Unpooled.wrappedBuffer(bytes.getBytes());
  }

  private static String hex(Buffer bytes) {
    return HexFormat.of().formatHex(bytes.getBytes());
  }

  @Test
  void goldenMessages() {
    assertThat(hex(new Authentication.Ok().encode())).isEqualTo("520000000800000000");
    assertThat(hex(new Authentication.Sasl(List.of("SCRAM-SHA-256")).encode()))
        .isEqualTo("52000000170000000a" + "534352414d2d5348412d323536" + "0000");
    assertThat(hex(new BackendKeyData(1, SecretKey.of(2)).encode()))
        .isEqualTo("4b0000000c0000000100000002");
    assertThat(hex(new ReadyForQuery((byte) 'I').encode())).isEqualTo("5a0000000549");
    assertThat(hex(new Terminate().encode())).isEqualTo("5800000004");
    assertThat(hex(new CancelRequest(7, SecretKey.of(8)).encode()))
        .isEqualTo("0000001004d2162e0000000700000008");
    assertThat(hex(new NegotiateProtocolVersion(2, List.of("_pq_.a")).encode()))
        .isEqualTo("7600000013" + "00030002" + "00000001" + "5f70715f2e6100");
    assertThat(hex(ErrorResponse.fatal("28P01", "no").encode()))
        .isEqualTo(
            "450000001e"
                + "53464154414c00"
                + "56464154414c00"
                + "43323850303100"
                + "4d6e6f00"
                + "00");
  }

  @Test
  void encodedMessagesDecodeToThemselves() {
    List<Buffer> encoded =
        List.of(
            new Authentication.Ok().encode(),
            new Authentication.Sasl(List.of("A", "B")).encode(),
            new Authentication.SaslContinue("r=x").encode(),
            new Authentication.SaslFinal("v=x").encode(),
            new Authentication.Unsupported(5).encode(),
            new BackendKeyData(1, SecretKey.of(2)).encode(),
            new BackendKeyData(3, LONGEST).encode(),
            new NegotiateProtocolVersion(0, List.of("_pq_.a")).encode(),
            new ReadyForQuery((byte) 'T').encode(),
            ErrorResponse.fatal("57P03", "später").encode());
    Buffer all = Buffer.buffer();
    encoded.forEach(all::appendBuffer);
    ByteBuf in = in(all);
    assertThat(BackendDecoder.decode(in)).isEqualTo(new Authentication.Ok());
    assertThat(BackendDecoder.decode(in)).isEqualTo(new Authentication.Sasl(List.of("A", "B")));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new Authentication.SaslContinue("r=x"));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new Authentication.SaslFinal("v=x"));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new Authentication.Unsupported(5));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new BackendKeyData(1, SecretKey.of(2)));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new BackendKeyData(3, LONGEST));
    assertThat(BackendDecoder.decode(in))
        .isEqualTo(new NegotiateProtocolVersion(0, List.of("_pq_.a")));
    assertThat(BackendDecoder.decode(in)).isEqualTo(new ReadyForQuery((byte) 'T'));
    assertThat(BackendDecoder.decode(in)).isEqualTo(ErrorResponse.fatal("57P03", "später"));
    assertThat(BackendDecoder.decode(in)).isNull();
  }

  @Test
  void otherMessagesAreKeptWhole() {
    Buffer status = Buffer.buffer("S").appendInt(8).appendString("a\0b\0");
    var decoded = (VerbatimMessage) Objects.requireNonNull(BackendDecoder.decode(in(status)));
    assertThat(decoded.bytes()).isEqualTo(status.getBytes());
  }

  @Test
  void impossibleLengthsAreRefused() {
    for (int length : new int[] {0, 3, -1, Integer.MAX_VALUE, BackendDecoder.MAX_BODY_BYTES + 5}) {
      assertThatThrownBy(() -> BackendDecoder.decode(in(Buffer.buffer("S").appendInt(length))))
          .isInstanceOf(ProtocolViolation.class);
    }
  }

  @Test
  void cancelKeysOfImpossibleLengthAreRefused() {
    for (int bytes : new int[] {0, 3, 257}) {
      Buffer message = Buffer.buffer("K").appendInt(8 + bytes).appendInt(1);
      message.appendBytes(new byte[bytes]);
      assertThatThrownBy(() -> BackendDecoder.decode(in(message)))
          .isInstanceOf(ProtocolViolation.class);
    }
  }

  @Test
  void noInputHangsOrOverruns() {
    long seed = new Random().nextLong();
    var random = new Random(seed);
    byte[] types = {'R', 'S', 'K', 'Z', 'E', 'N', 'v', 'x'};
    for (int i = 0; i < 50_000; i++) {
      var bytes = new byte[random.nextInt(100)];
      random.nextBytes(bytes);
      if (bytes.length > 5) {
        bytes[0] = types[random.nextInt(types.length)];
        Unpooled.wrappedBuffer(bytes).setInt(1, random.nextInt(110));
      }
      try {
        ByteBuf in = Unpooled.wrappedBuffer(bytes);
        while (BackendDecoder.decode(in) != null) {
          assertThat(in.readerIndex()).isLessThanOrEqualTo(bytes.length);
        }
      } catch (ProtocolViolation expected) {
        // What a bad message is to end in.
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  @Test
  void secretsDoNotPrint() {
    assertThat(Map.of("k", new BackendKeyData(1, SecretKey.of(987654))).toString())
        .doesNotContain("987654");
    assertThat(new CancelRequest(1, SecretKey.of(987654)).toString()).doesNotContain("987654");
    assertThat(new SaslData(new byte[] {1}).toString()).isEqualTo("SaslData[***]");
  }
}
