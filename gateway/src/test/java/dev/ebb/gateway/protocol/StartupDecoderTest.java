package dev.ebb.gateway.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StartupDecoderTest {
  private static ByteBuf hex(String digits) {
    return Unpooled.wrappedBuffer(java.util.HexFormat.of().parseHex(digits.replace(" ", "")));
  }

  @Test
  void goldenPackets() {
    assertThat(StartupDecoder.decode(hex("00000008 04d2162f"))).isEqualTo(new SslRequest());
    assertThat(StartupDecoder.decode(hex("00000008 04d21630"))).isEqualTo(new GssEncRequest());
    assertThat(StartupDecoder.decode(hex("00000010 04d2162e 00000007 89abcdef")))
        .isEqualTo(new CancelRequest(7, SecretKey.of(0x89abcdef)));
    assertThat(
            StartupDecoder.decode(
                hex("0000001d 00030000 7573657200 61707000 6461746162617365 00 7800 00")))
        .isEqualTo(new StartupMessage(0, Map.of("user", "app", "database", "x"), List.of()));
  }

  @Test
  void encodedStartupMessageDecodesToItself() {
    var message =
        new StartupMessage(
            0, Map.of("user", "Jürgen", "options", "-c a=b", "database", ""), List.of());
    assertThat(StartupDecoder.decode(Unpooled.wrappedBuffer(message.encode().getBytes())))
        .isEqualTo(message);
    assertThat(message.database()).isEqualTo("Jürgen");
  }

  @Test
  void everyPrefixOfAPacketWaitsForMore() {
    byte[] packet = new StartupMessage(0, Map.of("user", "app"), List.of()).encode().getBytes();
    for (int length = 0; length < packet.length; length++) {
      ByteBuf part = Unpooled.wrappedBuffer(packet, 0, length);
      assertThat(StartupDecoder.decode(part)).isNull();
      assertThat(part.readerIndex()).isZero();
    }
  }

  @Test
  void twoPacketsAreTakenOneByOne() {
    ByteBuf both = hex("00000008 04d21630 00000008 04d2162f");
    assertThat(StartupDecoder.decode(both)).isEqualTo(new GssEncRequest());
    assertThat(StartupDecoder.decode(both)).isEqualTo(new SslRequest());
    assertThat(StartupDecoder.decode(both)).isNull();
  }

  @Test
  void protocolOptionsNeedNegotiation() {
    var message =
        (StartupMessage)
            Objects.requireNonNull(
                StartupDecoder.decode(
                    hex("00000019 00030002 7573657200 6100 5f70715f2e7800 7900 00")));
    assertThat(message.needsNegotiation()).isTrue();
    assertThat(message.protocolOptions()).containsExactly("_pq_.x");
    assertThat(message.parameters()).containsOnlyKeys("user");
  }

  @Test
  void minorVersionsAboveTheNewestNeedNegotiation() {
    for (int minor = 0; minor < 5; minor++) {
      var message = new StartupMessage(minor, Map.of("user", "a"), List.of());
      assertThat(message.needsNegotiation()).isEqualTo(minor > 2);
      assertThat(message.negotiatedMinorVersion()).isEqualTo(Math.min(minor, 2));
      assertThat(message.cancelKeyBytes()).isEqualTo(minor < 2 ? 4 : 32);
    }
  }

  @Test
  void cancelRequestsHaveKeysOfUpTo256Bytes() {
    var longest = new CancelRequest(7, SecretKey.random(new SecureRandom(), 256));
    assertThat(StartupDecoder.decode(Unpooled.wrappedBuffer(longest.encode().getBytes())))
        .isEqualTo(longest);
    var tooLong = new CancelRequest(7, SecretKey.random(new SecureRandom(), 257));
    ByteBuf packet = Unpooled.wrappedBuffer(tooLong.encode().getBytes());
    assertThatThrownBy(() -> StartupDecoder.decode(packet)).isInstanceOf(ProtocolViolation.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "00000000",
        "00000007",
        "ffffffff",
        "7fffffff",
        "00002715", // lengths
        "00000008 00020000", // protocol 2
        "00000008 04d21600", // an unknown request
        "00000009 04d2162f 00", // a request with a body
        "0000000c 04d2162e 00000007", // a cancel request without a key
        "0000000c 00030000 75736572", // no terminator
        "0000000e 00030000 7573657200 61", // no terminator of a value
        "0000000a 00030000 00 00" // bytes behind the end
      })
  void impossiblePacketsAreRefused(String digits) {
    assertThatThrownBy(() -> StartupDecoder.decode(hex(digits)))
        .isInstanceOf(ProtocolViolation.class);
  }

  @Test
  void noInputHangsOrOverruns() {
    long seed = new Random().nextLong();
    var random = new Random(seed);
    for (int i = 0; i < 50_000; i++) {
      var bytes = new byte[random.nextInt(120)];
      random.nextBytes(bytes);
      if (bytes.length >= 8 && random.nextBoolean()) {
        ByteBuf wrapped = Unpooled.wrappedBuffer(bytes);
        wrapped.setInt(0, random.nextInt(140));
        wrapped.setInt(4, random.nextBoolean() ? 3 << 16 : 80877102 + random.nextInt(3));
      }
      decodeAll(bytes, seed);
    }
  }

  private static void decodeAll(byte[] bytes, long seed) {
    try {
      ByteBuf in = Unpooled.wrappedBuffer(bytes);
      while (StartupDecoder.decode(in) != null) {
        assertThat(in.readerIndex()).isLessThanOrEqualTo(bytes.length);
      }
      decodeLogin(bytes);
    } catch (ProtocolViolation expected) {
      // What a bad packet is to end in.
    } catch (RuntimeException e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  private static void decodeLogin(byte[] bytes) {
    ByteBuf in = Unpooled.wrappedBuffer(bytes);
    if (bytes.length > 5) {
      in.setByte(0, 'p').setInt(1, bytes.length - 1);
    }
    if (FrontendDecoder.decode(in) instanceof SaslData data) {
      assertThat(data.asResponse()).isNotNull();
      assertThat(data.asInitialResponse()).isNotNull();
    }
  }
}
