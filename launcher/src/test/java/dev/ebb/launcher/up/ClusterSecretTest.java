package dev.ebb.launcher.up;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ClusterSecretTest {
  @TempDir private Path home;

  @Test
  void secretThatWasLostOrChangedIsRefusedUntilItIsRestored() throws Exception {
    try (var directory = DataDirectory.open(home.resolve("data"), "lock");
        var store = new LocalObjectStore(Files.createDirectories(home.resolve("store")))) {
      Secret first = directory.clusterSecret();
      ClusterSecret.require(first, store, directory);
      ClusterSecret.require(directory.clusterSecret(), store, directory);

      Files.delete(directory.clusterSecretFile());
      Secret made = directory.clusterSecret();
      assertThat(made.reveal()).isNotEqualTo(first.reveal());
      assertThatThrownBy(() -> ClusterSecret.require(made, store, directory))
          .isInstanceOf(StartException.class)
          .hasMessageContaining(directory.clusterSecretFile().toString())
          .hasMessageContaining("restore")
          .hasMessageNotContaining(made.reveal())
          .hasMessageNotContaining("\n");

      Files.writeString(directory.clusterSecretFile(), first.reveal() + "\n");
      assertThatCode(() -> ClusterSecret.require(directory.clusterSecret(), store, directory))
          .doesNotThrowAnyException();
    }
  }
}
