package dev.ebb.walservice.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ClusterIdTest {
  private static final String ID = "AAECAwQFBgcICQoLDA0ODw";
  private static final String OTHER = "BBECAwQFBgcICQoLDA0ODw";

  @TempDir private Path dataDir;
  private Path logs;
  private Path file;

  @BeforeEach
  void makeLogs() throws IOException {
    logs = Files.createDirectories(dataDir.resolve("data"));
    file = dataDir.resolve("cluster.id");
  }

  private String read() throws IOException {
    return ClusterId.of(dataDir, logs);
  }

  private void formattedWith(String id) throws IOException {
    Files.writeString(
        logs.resolve("meta.properties"), "#\nnode.id=1\nversion=1\ncluster.id=" + id + "\n");
  }

  private void makeTopic() throws IOException {
    Files.createDirectories(logs.resolve("ebb-wal-b1-0"));
  }

  @Test
  void isMadeOnceAndLeavesNothingElseBehind() throws Exception {
    String id = read();
    assertThat(id).hasSize(22);
    assertThat(read()).isEqualTo(id);
    assertThat(file).hasContent(id);
    try (var files = Files.list(dataDir)) {
      assertThat(files).containsExactlyInAnyOrder(file, logs);
    }
  }

  @Test
  void fileThatWasCutOffOrLostIsHealedFromKafkasOwn() throws Exception {
    formattedWith(ID);
    makeTopic();
    for (String rest : new String[] {"", "\n", ID.substring(0, 9), "\0\0\0"}) {
      Files.writeString(file, rest);
      assertThat(read()).isEqualTo(ID);
      assertThat(file).hasContent(ID);
    }
    Files.delete(file);
    assertThat(read()).isEqualTo(ID);
    assertThat(file).hasContent(ID);
  }

  @Test
  void fileThatWasCutOffBeforeAnythingElseWasMadeIsMadeAnew() throws Exception {
    Files.writeString(file, "");
    assertThat(read()).hasSize(22);
  }

  @Test
  void bothLostWhereThereAreTopicsIsAnErrorThatSaysWhatToDo() throws Exception {
    makeTopic();
    for (String rest : new String[] {"", "abc"}) {
      Files.writeString(file, rest);
      assertThatThrownBy(this::read)
          .isInstanceOf(IOException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining("restore");
      assertThat(file).hasContent(rest);
    }
  }

  @Test
  void twoDifferentIdsAreAnError() throws Exception {
    Files.writeString(file, ID);
    formattedWith(OTHER);
    assertThatThrownBy(this::read).isInstanceOf(IOException.class).hasMessageContaining("restore");
  }
}
