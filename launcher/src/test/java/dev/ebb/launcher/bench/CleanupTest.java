package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CleanupTest {
  @TempDir Path directory;

  @Test
  void stepsRunOnceTheNewestFirstAlsoBehindAFailure() {
    List<String> ran = new ArrayList<>();
    var cleanup = new Cleanup();
    cleanup.add("do first", () -> ran.add("first"));
    cleanup.add(
        "do second",
        () -> {
          ran.add("second");
          throw new IOException("expected by the test");
        });
    cleanup.add("do third", () -> ran.add("third"));

    cleanup.close();
    cleanup.close();

    assertThat(ran).containsExactly("third", "second", "first");
  }

  @Test
  void stepThatComesTooLateRunsAtOnce() {
    List<String> ran = new ArrayList<>();
    var cleanup = new Cleanup();
    cleanup.close();

    cleanup.add("do late", () -> ran.add("late"));

    assertThat(ran).containsExactly("late");
    assertThat(cleanup.hasBegun()).isTrue();
  }

  @Test
  void treeIsDeletedAndItsAbsenceIsNoError() throws IOException {
    Path tree = Files.createDirectories(directory.resolve("a/b/c"));
    Files.writeString(tree.resolve("file"), "x");

    Cleanup.deleteTree(directory.resolve("a"));
    Cleanup.deleteTree(directory.resolve("a"));

    assertThat(directory).isEmptyDirectory();
  }
}
