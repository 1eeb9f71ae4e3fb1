package dev.ebb.gateway.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.protocol.ErrorFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ErrorInspectorTest {
  private static final byte[] ROW =
      message('D', "Etwas, das mit E beginnt".getBytes(StandardCharsets.UTF_8));
  private static final byte[] EMPTY = message('n', new byte[0]);
  private static final byte[] READY = message('Z', new byte[] {'I'});
  private static final byte[] OTHER = error("42P01", "no such table", null);
  private static final byte[] DAMAGED = error("XX001", "invalid page \u00e4", null);
  private static final byte[] TOLD = error("XX001", "invalid page \u00e4", "in pack p");
  private static final byte[] STREAM =
      join(ROW, EMPTY, OTHER, READY, ROW, DAMAGED, READY, DAMAGED, OTHER, READY, ROW);
  private static final byte[] EXPECTED =
      join(ROW, EMPTY, OTHER, READY, ROW, TOLD, READY, TOLD, OTHER, READY, ROW);

  private final Sink sink = new Sink();
  private Promise<String> answer = Promise.promise();

  /** What the client gets. */
  private static final class Sink implements RelayHandler.Output {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean paused;

    @Override
    public void write(ByteBuf chunk) {
      var part = new byte[chunk.readableBytes()];
      chunk.readBytes(part);
      chunk.release();
      bytes.writeBytes(part);
    }

    @Override
    public void flush() {}

    @Override
    public void pause() {
      paused = true;
    }

    @Override
    public void resume() {
      paused = false;
    }

    @Override
    public void onLoop(Runnable task) {
      task.run();
    }
  }

  private final ErrorDetails details =
      new ErrorDetails() {
        @Override
        public boolean concerns(ErrorFrame error) {
          return error.sqlState().equals("XX001");
        }

        @Override
        public Future<String> about(ErrorFrame error) {
          return answer.future();
        }
      };

  private final ErrorInspector inspector = new ErrorInspector(details);

  private static byte[] message(char type, byte[] body) {
    return Unpooled.buffer()
        .writeByte(type)
        .writeInt(body.length + 4)
        .writeBytes(body)
        .capacity(body.length + 5)
        .array();
  }

  private static byte[] error(
      String sqlState, String text, @org.jspecify.annotations.Nullable String detail) {
    String fields = "SERROR\0VERROR\0C" + sqlState + "\0M" + text + "\0";
    return message(
        'E',
        (fields + "FsomeFile.c\0" + (detail == null ? "" : "D" + detail + "\0") + "\0")
            .getBytes(StandardCharsets.ISO_8859_1));
  }

  private static byte[] join(byte[]... parts) {
    var all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  private void pass(ErrorInspector to, byte[] bytes) {
    to.pass(Unpooled.copiedBuffer(bytes), sink);
  }

  @Test
  void errorGetsItsDetailWhereverTheStreamIsSplit() {
    answer.complete("in pack p");
    for (int first = 0; first <= STREAM.length; first++) {
      for (int second : new int[] {first, Math.min(first + 3, STREAM.length), STREAM.length}) {
        sink.bytes.reset();
        var fresh = new ErrorInspector(details);
        pass(fresh, Arrays.copyOfRange(STREAM, 0, first));
        pass(fresh, Arrays.copyOfRange(STREAM, first, second));
        pass(fresh, Arrays.copyOfRange(STREAM, second, STREAM.length));

        assertThat(sink.bytes.toByteArray())
            .as("split at %d, %d", first, second)
            .isEqualTo(EXPECTED);
        assertThat(fresh.isBetweenMessages()).isTrue();
        assertThat(fresh.saidError()).isFalse();
      }
    }
  }

  @Test
  void streamThatComesByteByByteIsFollowed() {
    answer.complete("in pack p");
    List<Integer> boundaries = new ArrayList<>();
    for (int i = 0; i < STREAM.length; i++) {
      pass(inspector, new byte[] {STREAM[i]});
      if (inspector.isBetweenMessages()) {
        boundaries.add(i + 1);
      }
    }

    assertThat(sink.bytes.toByteArray()).isEqualTo(EXPECTED);
    List<Integer> expected = new ArrayList<>();
    int end = 0;
    for (byte[] message :
        List.of(ROW, EMPTY, OTHER, READY, ROW, DAMAGED, READY, DAMAGED, OTHER, READY, ROW)) {
      end += message.length;
      expected.add(end);
    }
    assertThat(boundaries).isEqualTo(expected);
  }

  @Test
  void whatComesWhileAnAnswerIsAwaitedFollowsTheError() {
    pass(inspector, join(ROW, DAMAGED));
    assertThat(sink.bytes.toByteArray()).isEqualTo(ROW);
    assertThat(sink.paused).isTrue();
    assertThat(inspector.isBetweenMessages()).isFalse();
    pass(inspector, join(READY, DAMAGED));
    pass(inspector, Arrays.copyOf(READY, 2));
    Promise<String> first = answer;
    answer = Promise.promise();

    first.complete("in pack p");

    assertThat(sink.bytes.toByteArray()).isEqualTo(join(ROW, TOLD, READY));
    assertThat(sink.paused).isTrue();
    answer.fail("too late");
    assertThat(sink.bytes.toByteArray())
        .isEqualTo(join(ROW, TOLD, READY, DAMAGED, Arrays.copyOf(READY, 2)));
    assertThat(sink.paused).isFalse();
    pass(inspector, Arrays.copyOfRange(READY, 2, READY.length));
    assertThat(inspector.isBetweenMessages()).isTrue();
  }

  @Test
  void endOfTheStreamPassesOnWhatIsHeld() {
    pass(inspector, join(ROW, DAMAGED, READY));
    inspector.end(sink);
    assertThat(sink.bytes.toByteArray()).isEqualTo(join(ROW, DAMAGED, READY));
    assertThat(inspector.isBetweenMessages()).isTrue();

    answer.complete("in pack p");
    assertThat(sink.bytes.toByteArray()).isEqualTo(join(ROW, DAMAGED, READY));

    sink.bytes.reset();
    pass(inspector, Arrays.copyOf(OTHER, 20));
    inspector.end(sink);
    assertThat(sink.bytes.toByteArray()).isEqualTo(Arrays.copyOf(OTHER, 20));
    assertThat(inspector.isBetweenMessages()).isFalse();
  }

  @Test
  void errorOfImpossibleLengthPassesAsItIs() {
    byte[] huge = message('E', new byte[100_000]);
    for (byte[] stream :
        List.of(join(ROW, huge, READY), join(ROW, new byte[] {'E', 0, 0, 0, 1, 7, 7}, READY))) {
      sink.bytes.reset();
      pass(new ErrorInspector(details), stream);
      assertThat(sink.bytes.toByteArray()).isEqualTo(stream);
    }
  }

  @Test
  void detailIsAddedToTheOneThatIsThere() {
    var error = new ErrorFrame(error("58030", "could not read", "It \u00e4ches."));

    assertThat(error.withDetail("in\npack"))
        .isEqualTo(error("58030", "could not read", "It \u00e4ches.\nin?pack"));
    assertThat(error.withDetail("")).isEqualTo(error.bytes());
    assertThat(error.sqlState()).isEqualTo("58030");
    assertThat(error.words()).startsWith("could not read\nIt ");
  }
}
