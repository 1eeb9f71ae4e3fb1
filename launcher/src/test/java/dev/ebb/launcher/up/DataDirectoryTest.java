package dev.ebb.launcher.up;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.launcher.client.ServerLocation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DataDirectoryTest {
  @TempDir private Path directory;

  @Test
  void secondHolderIsRefusedAndToldWhoHoldsIt() throws Exception {
    try (var first = DataDirectory.open(directory, "lock")) {
      new ServerLocation("http://127.0.0.1:1", "127.0.0.1", 2, 4711).write(first.path());

      assertThatThrownBy(() -> DataDirectory.open(directory, "lock"))
          .isInstanceOf(StartException.class)
          .hasMessageContaining("another ebb (process 4711)")
          .hasMessageContaining("--data");
    }
  }

  @Test
  void leftoversOfAKilledPredecessorDoNotMatter() throws Exception {
    DataDirectory.open(directory, "lock").close();
    new ServerLocation("http://127.0.0.1:1", "127.0.0.1", 2, 4711).write(directory);

    try (var next = DataDirectory.open(directory, "lock")) {
      assertThat(next.path()).isEqualTo(directory);
    }
  }

  @Test
  void secretsAreMadeOnceAndForTheOwnerOnly() throws Exception {
    String token;
    try (var first = DataDirectory.open(directory.resolve("deep/down"), "lock")) {
      token = first.token().reveal();
      assertThat(first.clusterSecret().reveal()).hasSize(32).isNotEqualTo(token);
    }

    try (var second = DataDirectory.open(directory.resolve("deep/down"), "lock")) {
      assertThat(second.token().reveal()).isEqualTo(token);
      for (String name : new String[] {"token", "cluster-secret"}) {
        assertThat(
                PosixFilePermissions.toString(
                    Files.getPosixFilePermissions(second.path().resolve(name))))
            .isEqualTo("rw-------");
      }
    }
  }

  @Test
  void emptySecretIsRefused() throws Exception {
    try (var held = DataDirectory.open(directory, "lock")) {
      Files.writeString(directory.resolve("token"), "\n");

      assertThatThrownBy(held::token)
          .isInstanceOf(StartException.class)
          .hasMessageContaining("cut off");
    }
  }

  @Test
  void fileInItsPlaceIsRefused() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "");

    assertThatThrownBy(() -> DataDirectory.open(file, "lock"))
        .isInstanceOf(StartException.class)
        .hasMessageContaining("no directory");
    assertThatThrownBy(() -> DataDirectory.open(file.resolve("below"), "lock"))
        .isInstanceOf(StartException.class)
        .hasMessageContaining("--data");
  }

  @Test
  void firstStartIsRemembered() throws Exception {
    try (var held = DataDirectory.open(directory, "lock")) {
      assertThat(held.isInitialized()).isFalse();
      held.markInitialized();
      assertThat(held.isInitialized()).isTrue();
    }
  }
}
