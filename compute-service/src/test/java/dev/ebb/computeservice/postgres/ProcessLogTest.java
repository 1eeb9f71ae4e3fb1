package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProcessLogTest {
  @TempDir Path directory;

  private ProcessLog consumed(String text) {
    var log = new ProcessLog(directory.resolve("log"), "test");
    log.consume(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    return log;
  }

  @Test
  void newestLinesAreKeptAndAllAreWritten() throws IOException {
    var text = new StringBuilder();
    for (int i = 0; i < 200; i++) {
      text.append("line ").append(i).append('\n');
    }
    ProcessLog log = consumed(text.toString());
    assertThat(log.newest()).hasSize(50).startsWith("line 150").endsWith("line 199");
    assertThat(Files.readString(directory.resolve("log"))).isEqualTo(text.toString());
  }

  @Test
  void longLineIsCutAndTheLastOneNeedsNoEnd() {
    assertThat(consumed("x".repeat(100_000) + "\nend").newest())
        .containsExactly("x".repeat(ProcessLog.MAX_LINE_BYTES), "end");
  }

  @Test
  void fileIsBounded() throws IOException {
    consumed(("y".repeat(4000) + "\n").repeat(5000));
    assertThat(Files.size(directory.resolve("log"))).isLessThan(ProcessLog.MAX_FILE_BYTES);
    assertThat(Files.size(directory.resolve("log.old")))
        .isBetween(ProcessLog.MAX_FILE_BYTES, ProcessLog.MAX_FILE_BYTES + 5000);
  }

  @Test
  void fileThatCannotBeWrittenDoesNotStopTheReading() {
    var log = new ProcessLog(directory.resolve("no/such/log"), "test");
    log.consume(new ByteArrayInputStream("one\ntwo\n".getBytes(StandardCharsets.UTF_8)));
    assertThat(log.newest()).containsExactly("one", "two");
  }
}
