package dev.ebb.walservice.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.ebb.shared.model.Lsn;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class MessagesTest {
  private static final long SEED = 20261123;

  private static DataInputStream in(byte[] bytes) {
    return new DataInputStream(new ByteArrayInputStream(bytes));
  }

  private static byte[] connect(int version, String... texts) {
    byte[] body = String.join("\0", texts).getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(body.length + 6).putInt(version).put(body).array();
  }

  @Test
  void startupTellsWhoWantsWhat() {
    assertThat(
            Startup.parse(
                connect(
                    0x30002,
                    "user",
                    "shop@main",
                    "replication",
                    "true",
                    "_pq_.x",
                    "1",
                    "application_name",
                    "walreceiver")))
        .isEqualTo(
            new Startup.Connect(
                2,
                Map.of(
                    "user", "shop@main", "replication", "true", "application_name", "walreceiver"),
                List.of("_pq_.x")));
    assertThat(Startup.parse(ByteBuffer.allocate(4).putInt(Startup.SSL_REQUEST).array()))
        .isEqualTo(new Startup.EncryptionRequest());
    assertThat(Startup.parse(ByteBuffer.allocate(12).putInt(Startup.CANCEL_REQUEST).array()))
        .isEqualTo(new Startup.CancelRequest());
  }

  @Test
  void onlyPhysicalReplicationIsServed() {
    for (String mode : List.of("true", "ON", "1", "yes")) {
      ((Startup.Connect) Startup.parse(connect(0x30000, "replication", mode))).requireReplication();
    }
    for (String mode : List.of("database", "false", "", "off")) {
      var connect = new Startup.Connect(0, Map.of("replication", mode), List.of());
      var error = catchThrowableOfType(SqlError.class, connect::requireReplication);
      assertThat(error.sqlState()).isEqualTo(SqlError.FEATURE_NOT_SUPPORTED);
      assertThat(error.isFatal()).isTrue();
    }
  }

  @Test
  void malformedStartupIsRefused() {
    for (byte[] packet :
        List.of(
            new byte[0],
            new byte[] {0, 3, 0},
            new byte[] {0, 3, 0, 0},
            connect(0x20000, "user", "x"),
            new byte[] {0, 3, 0, 0, 'a', 0, 'b'},
            new byte[] {0, 3, 0, 0, 'a', 0, 'b', 0},
            new byte[] {0, 3, 0, 0, (byte) 0xFF, 0, 'b', 0, 0},
            new byte[] {0, 3, 0, 0, 0, 1})) {
      assertThatThrownBy(() -> Startup.parse(packet)).isInstanceOf(SqlError.class);
    }
  }

  @Test
  void standbySaysHowFarItIs() {
    byte[] status =
        ByteBuffer.allocate(34)
            .put((byte) 'r')
            .putLong(30)
            .putLong(20)
            .putLong(10)
            .putLong(7)
            .put((byte) 1)
            .array();
    assertThat(StandbyMessage.parse(status))
        .isEqualTo(new StandbyMessage.Status(new Lsn(30), new Lsn(20), new Lsn(10), 7, true));
    byte[] feedback =
        ByteBuffer.allocate(25).put((byte) 'h').putLong(7).putInt(5).putInt(2).putLong(0).array();
    assertThat(StandbyMessage.parse(feedback))
        .isEqualTo(new StandbyMessage.HotStandbyFeedback(7, 2L << 32 | 5, 0));
    for (byte[] wrong :
        List.of(new byte[0], new byte[] {'r'}, Arrays.copyOf(status, 35), new byte[] {'z', 1})) {
      assertThatThrownBy(() -> StandbyMessage.parse(wrong)).isInstanceOf(SqlError.class);
    }
  }

  @Test
  void messagesAreThoseOfTheProtocol() {
    var hex = HexFormat.of();
    assertThat(hex.formatHex(Reply.keepalive(new Lsn(0x102), 3, true)))
        .isEqualTo("64" + "00000016" + "6b" + "0000000000000102" + "0000000000000003" + "01");
    assertThat(hex.formatHex(Reply.walHeader(new Lsn(1), new Lsn(9), 3, 8)))
        .isEqualTo(
            "64"
                + "00000025"
                + "77"
                + "0000000000000001"
                + "0000000000000009"
                + "0000000000000003");
    assertThat(hex.formatHex(Reply.copyBoth())).isEqualTo("5700000007" + "00" + "0000");
    assertThat(hex.formatHex(Reply.commandComplete("A"))).isEqualTo("4300000006" + "4100");
    assertThat(hex.formatHex(Reply.readyForQuery())).isEqualTo("5a0000000549");
    assertThat(
            hex.formatHex(
                Reply.row(
                    List.of(new Reply.Column("a", Reply.Type.INT4)), Arrays.asList((String) null))))
        .isEqualTo(
            "540000001a"
                + "0001"
                + "6100"
                + "00000000"
                + "0000"
                + "00000017"
                + "0004"
                + "ffffffff"
                + "0000"
                + "440000000a"
                + "0001"
                + "ffffffff");
    assertThat(
            new String(
                Reply.error(SqlError.error("58P01", "gone").withHint("do")),
                StandardCharsets.UTF_8))
        .endsWith("SERROR\0VERROR\0C58P01\0Mgone\0Hdo\0\0");
  }

  @Test
  void lengthsThatCannotBeAreRefusedUnread() {
    for (int length : new int[] {Integer.MIN_VALUE, -1, 0, 3, 70_000, Integer.MAX_VALUE}) {
      byte[] frame = ByteBuffer.allocate(5).put((byte) 'Q').putInt(length).array();
      assertThatThrownBy(() -> Frame.read(in(frame), Frame.MAX_BYTES)).isInstanceOf(SqlError.class);
      byte[] startup = ByteBuffer.allocate(4).putInt(length).array();
      assertThatThrownBy(() -> Frame.readStartup(in(startup))).isInstanceOf(SqlError.class);
    }
  }

  @Test
  void streamThatEndsInsideAMessageIsToldFromOneThatEndsBehindIt() throws Exception {
    assertThat(Frame.read(in(new byte[0]), 10)).isNull();
    assertThat(Frame.readStartup(in(new byte[0]))).isNull();
    assertThatThrownBy(() -> Frame.read(in(new byte[] {'Q', 0, 0, 0, 8, 1}), 10))
        .isInstanceOf(EOFException.class);
    assertThatThrownBy(() -> Frame.readStartup(in(new byte[] {0, 0})))
        .isInstanceOf(EOFException.class);
  }

  /** Rubbish gives a value, an error for the client, or the end of the stream. */
  @Test
  void noBytesDoMore() throws Exception {
    var random = new Random(SEED);
    for (int i = 0; i < 20_000; i++) {
      var bytes = new byte[random.nextInt(80)];
      random.nextBytes(bytes);
      if (bytes.length > 8 && random.nextBoolean()) {
        ByteBuffer.wrap(bytes)
            .put("QXprhdc".getBytes(StandardCharsets.US_ASCII)[random.nextInt(7)])
            .putInt(random.nextInt(bytes.length));
      }
      if (bytes.length > 8 && random.nextBoolean()) {
        ByteBuffer.wrap(bytes).putInt(random.nextInt(bytes.length)).putInt(0x30000);
      }
      survives(() -> Frame.readStartup(in(bytes)));
      survives(() -> Startup.parse(bytes));
      survives(() -> StandbyMessage.parse(bytes));
      survives(() -> {
        Frame frame = Frame.read(in(bytes), Frame.MAX_BYTES);
        if (frame != null) {
          survives(frame::text);
          survives(frame::saslInitialResponse);
        }
        return frame;
      });
    }
  }

  private interface Parse {
    @Nullable Object parse() throws IOException;
  }

  private static void survives(Parse parse) throws IOException {
    try {
      var _ = parse.parse();
    } catch (SqlError | EOFException e) {
      assertThat(e).isNotNull();
    }
  }
}
