package dev.ebb.shared.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class BusCodecTest {
  /** Lines of tag, record and bytes; a line never changes: a changed message gets a new number. */
  private static final String GOLDEN = "bus-golden.txt";

  private final BusCodec codec = new BusCodec();

  static Stream<Class<? extends BusMessage>> messages() {
    return new TreeMap<>(MessageTags.all()).values().stream();
  }

  private byte[] encode(BusMessage message) {
    Buffer buffer = Buffer.buffer();
    codec.encodeToWire(buffer, message);
    return buffer.getBytes();
  }

  private BusMessage decode(byte[] bytes) {
    return codec.decodeFromWire(0, Buffer.buffer(bytes));
  }

  private static Map<String, String> golden() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(BusCodecTest.class.getResourceAsStream(GOLDEN), GOLDEN)) {
      var lines = new TreeMap<String, String>();
      new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(line -> line.split(" "))
          .forEach(parts -> lines.put(parts[0] + " " + parts[1], parts[2]));
      return lines;
    }
  }

  private static String name(BusMessage message) {
    return MessageTags.tagOf(message) + " " + message.getClass().getName();
  }

  @ParameterizedTest
  @MethodSource("messages")
  void everyRegisteredMessageHasItsGoldenBytes(Class<? extends BusMessage> type)
      throws IOException {
    BusMessage sample = Samples.of(type);
    String bytes = HexFormat.of().formatHex(encode(sample));

    assertThat(golden().get(name(sample)))
        .as("add this line to %s:%n%s %s", GOLDEN, name(sample), bytes)
        .isEqualTo(bytes);
    assertThat(decode(HexFormat.of().parseHex(bytes))).usingRecursiveComparison().isEqualTo(sample);
    BusMessage bare = Samples.withoutOptional(type);
    assertThat(decode(encode(bare))).usingRecursiveComparison().isEqualTo(bare);
  }

  @Test
  void noMessageOfTheGoldenFileIsGone() throws IOException {
    assertThat(golden().keySet())
        .isEqualTo(
            messages()
                .map(type -> name(Samples.of(type)))
                .collect(java.util.stream.Collectors.toSet()));
  }

  @Test
  void everyMessageThatCanBeSentIsRegistered() {
    List<Class<?>> registered = List.copyOf(MessageTags.all().values());

    assertThat(leaves(BusMessage.class)).isSubsetOf(registered);
  }

  private static Stream<Class<?>> leaves(Class<?> type) {
    Class<?>[] permitted = type.getPermittedSubclasses();
    if (permitted != null) {
      return Arrays.stream(permitted).flatMap(BusCodecTest::leaves);
    }
    return type.isRecord() ? Stream.<Class<?>>of(type) : Stream.<Class<?>>empty();
  }

  @Test
  void messageBehindOthersInTheBufferIsRead() {
    Buffer buffer = Buffer.buffer("before");
    codec.encodeToWire(buffer, new Ok());
    int second = buffer.length();
    codec.encodeToWire(buffer, new Failure(Failure.Kind.FENCED, "stop"));
    buffer.appendString("behind");

    assertThat(codec.decodeFromWire(6, buffer)).isEqualTo(new Ok());
    assertThat(codec.decodeFromWire(second, buffer))
        .isEqualTo(new Failure(Failure.Kind.FENCED, "stop"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void malformedBytesAreInvalidWhateverTheyAre(Class<? extends BusMessage> type) {
    byte[] whole = encode(Samples.of(type));
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> decode(cut)).isInstanceOf(EbbException.class);
    }
    var random = new Random(type.getName().hashCode());
    for (int i = 0; i < 2_000; i++) {
      byte[] damaged = whole.clone();
      for (int c = random.nextInt(4); c >= 0; c--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      }
      try {
        assertThat(decode(damaged)).isNotNull();
      } catch (EbbException expected) {
        assertThat(expected).hasMessageNotContaining("null");
      }
    }
  }

  @Test
  void forgedLengthsAllocateNothing() {
    byte[] bytes = encode(new PageMessage.Pages(new byte[] {1, 2, 3}));
    Arrays.fill(bytes, 7, 11, (byte) 0x7F);
    assertThatThrownBy(() -> decode(bytes)).isInstanceOf(EbbException.Invalid.class);

    byte[] list = encode(new PageMessage.BootPages(List.of()));
    list[9] = 1; // 65,536 runs are to follow
    assertThatThrownBy(() -> decode(list)).isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void otherFormatVersionAndUnknownTagAreNamed() {
    byte[] newer = encode(new Ok());
    newer[0] = 9;
    assertThatThrownBy(() -> decode(newer)).hasMessageContaining("bus format 9");

    byte[] unknown = encode(new Ok());
    unknown[1] = 0x7F;
    assertThatThrownBy(() -> decode(unknown)).hasMessageContaining("unknown bus message");
  }

  @Test
  void bytesBehindTheLastComponentAreInvalid() {
    byte[] bytes = encode(new Ok());
    byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
    longer[6] = 1;

    assertThatThrownBy(() -> decode(longer)).hasMessageContaining("too many");
  }

  @Test
  void mebibyteOfPagesIsCopiedInBulk() {
    var pages = new byte[1 << 20];
    new Random(1).nextBytes(pages);
    var message =
        new PageMessage.PutPages(
            SnapshotId.random(),
            new FileKey(FileKey.Kind.RELATION, 1, 2, 0, 0),
            1,
            0,
            false,
            pages);
    long start = System.nanoTime();
    int rounds = 50;
    for (int i = 0; i < rounds; i++) {
      BusMessage back = decode(encode(message));
      assertThat(((PageMessage.PutPages) back).bytes()).hasSize(pages.length);
    }
    long microsEach = (System.nanoTime() - start) / 1_000 / rounds;

    assertThat(((PageMessage.PutPages) decode(encode(message))).bytes()).isEqualTo(pages);
    System.out.printf("1 MiB message encoded and decoded in %d us%n", microsEach);
    assertThat(microsEach).isLessThan(50_000);
  }
}
