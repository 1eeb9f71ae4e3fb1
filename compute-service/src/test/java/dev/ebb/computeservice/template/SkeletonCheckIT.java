package dev.ebb.computeservice.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Rule 41: on each of these PostgreSQL itself says that it is ready. */
final class SkeletonCheckIT {
  private final PostgresFixture postgres = PostgresFixture.get();
  private final StoppedCluster cluster = postgres.template;
  private Path data = Path.of("unset");

  SkeletonCheckIT() throws IOException {}

  @AfterEach
  void clean() throws IOException {
    postgres.clean();
  }

  @BeforeEach
  void lay() throws IOException {
    data =
        postgres.lay(
            cluster, cluster.control(), file -> file.key().kind() != FileKey.Kind.RELATION);
  }

  @Test
  void wholeSkeletonPasses() {
    assertThatCode(() -> SkeletonCheck.check(data, cluster.files(), eager()))
        .doesNotThrowAnyException();
  }

  @Test
  void missingMapOfTheSharedCatalogIsFound() throws IOException {
    Files.delete(data.resolve("global/pg_filenode.map"));
    assertBroken("global/pg_filenode.map is missing");
  }

  @Test
  void missingMapOfDatabaseIsFound() throws IOException {
    Files.delete(data.resolve("base/1/pg_filenode.map"));
    assertBroken("base/1/pg_filenode.map is missing");
  }

  @Test
  void damagedMapIsFound() throws IOException {
    Path map = data.resolve("base/1/pg_filenode.map");
    byte[] content = Files.readAllBytes(map);
    content[100] ^= 1;
    Files.write(map, content);
    assertBroken("CRC is wrong");
  }

  @Test
  void missingVersionOfDatabaseIsFound() throws IOException {
    Files.delete(data.resolve("base/1/PG_VERSION"));
    assertBroken("base/1/PG_VERSION is missing");
  }

  @Test
  void missingDirectoryIsFound() throws IOException {
    Files.delete(data.resolve("pg_notify"));
    assertBroken("pg_notify is missing");
  }

  @Test
  void damagedControlFileIsFound() throws IOException {
    Path control = data.resolve("global/pg_control");
    byte[] content = Files.readAllBytes(control);
    content[40] ^= 1;
    Files.write(control, content);
    assertBroken("CRC does not match");
  }

  @Test
  void zeroedCommitLogIsFound() throws IOException {
    List<SkeletonCheck.EagerBlock> fetched = eager();
    Files.write(data.resolve("pg_xact/0000"), new byte[FileKey.BLOCK_BYTES]);
    assertThatThrownBy(() -> SkeletonCheck.check(data, cluster.files(), fetched))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("block 0 of pg_xact/0000 is not what was fetched");
  }

  @Test
  void truncatedCommitLogIsFoundOnLazySkeletonToo() throws IOException {
    List<SkeletonCheck.EagerBlock> fetched = eager();
    Files.write(data.resolve("pg_xact/0000"), new byte[100]);
    assertThatThrownBy(() -> SkeletonCheck.check(data, cluster.files(), fetched))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("block 0 of pg_xact/0000 is not on disk");
    assertBroken("is shorter than its 1 blocks");
  }

  @Test
  void requiredBlockThatWasNotHydratedIsFound() throws IOException {
    List<SkeletonCheck.EagerBlock> some = new ArrayList<>(eager());
    some.removeFirst();
    assertThatThrownBy(() -> SkeletonCheck.check(data, cluster.files(), some))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("was not hydrated");
  }

  @Test
  void missingCommitLogIsFoundOnDiskAndInTheManifest() throws IOException {
    Files.delete(data.resolve("pg_xact/0000"));
    assertBroken("pg_xact/0000 is missing");
    List<Manifest.BlockFile> without =
        cluster.files().stream().filter(f -> f.key().kind() != FileKey.Kind.XACT).toList();
    assertThatThrownBy(() -> SkeletonCheck.check(data, without, List.of()))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("is not in the manifest");
  }

  @Test
  void requiredBlocksOfFreshClusterAreFew() {
    assertThat(SkeletonCheck.requiredBlocks(cluster.control(), cluster.files()))
        .extracting(run -> run.file().path())
        .containsExactly("pg_xact/0000", "pg_multixact/offsets/0000", "pg_multixact/members/0000");
  }

  private void assertBroken(String message) {
    assertThatThrownBy(() -> SkeletonCheck.check(data, cluster.files(), List.of()))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining(message);
  }

  private List<SkeletonCheck.EagerBlock> eager() throws IOException {
    var blocks = new ArrayList<SkeletonCheck.EagerBlock>();
    for (Manifest.BlockRun run : SkeletonCheck.requiredBlocks(cluster.control(), cluster.files())) {
      blocks.add(
          SkeletonCheck.EagerBlock.of(
              run.file(), run.firstBlock(), cluster.readBlocks(run.file(), run.firstBlock(), 1)));
    }
    return blocks;
  }
}
