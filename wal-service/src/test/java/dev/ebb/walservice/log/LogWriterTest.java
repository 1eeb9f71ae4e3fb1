package dev.ebb.walservice.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import org.junit.jupiter.api.Test;

/** Single steps; {@code LogSimulationTest} has the whole. */
final class LogWriterTest {
  private static final Lsn START = new Lsn(100);

  private final LogWriter writer =
      new LogWriter(
          new Term(new Generation(3), 1),
          new Opening(START, true, -1, START),
          fromHint -> {
            throw new AssertionError("nothing is to be folded");
          },
          fold -> START);

  /** What ends the writer when it finds a fence of {@code other} between two of its records. */
  private Command.End endBehindFenceOf(Term other) {
    writer.open();
    writer.appended(0, 0);
    writer.appended(1, 1);
    assertThat(writer.isOpen()).isTrue();
    writer.appendWal(START, new byte[8]);
    assertThat(writer.appended(2, 3)).containsExactly(new Command.Read(2, 3));
    writer.read(new LogRecord.Stored(2, LogRecord.fence(other)));
    return writer.readEnded().stream()
        .filter(Command.Ended.class::isInstance)
        .map(command -> ((Command.Ended) command).end())
        .findFirst()
        .orElseThrow();
  }

  @Test
  void fenceOfALaterGenerationMeansThatThisOneIsOver() {
    assertThat(endBehindFenceOf(new Term(new Generation(4), 2))).isInstanceOf(Command.Fenced.class);
    assertThat(writer.durable()).isEqualTo(START);
  }

  @Test
  void fenceOfTheSameGenerationEndsTheWriterButNotTheGeneration() {
    assertThat(endBehindFenceOf(new Term(new Generation(3), 2)))
        .isInstanceOf(Command.Displaced.class);
    assertThat(writer.durable()).isEqualTo(START);
  }
}
