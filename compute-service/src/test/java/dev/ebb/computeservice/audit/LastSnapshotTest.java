package dev.ebb.computeservice.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

final class LastSnapshotTest {
  private static final FileKey FILE = new FileKey(FileKey.Kind.RELATION, 5, 1000, 0, 0);

  private static byte[] read(Function<String, byte[]> stored, ReadSnapshot snapshot) {
    return CaptureAudit.Snapshot.newest(
            snapshot, (key, file, incarnation, first, count) -> stored.apply(key))
        .read(FILE, 1, 7);
  }

  @Test
  void snapshotThatACompactionMovedAndACollectionTookIsReadWhereItIsNow() {
    for (EbbException gone :
        List.of(new EbbException.NotFound("collected"), new EbbException.Corrupt("collected"))) {
      var snapshot = new ReadSnapshot("s1", () -> Optional.of("s1.r2"));

      byte[] page =
          read(
              key -> {
                if (key.equals("s1")) {
                  throw gone;
                }
                return new byte[] {2};
              },
              snapshot);

      assertThat(page).containsExactly(2);
      assertThat(snapshot.key()).isEqualTo("s1.r2");
    }
  }

  @Test
  void damageOfTheNewestIsPassedOn() {
    var snapshot = new ReadSnapshot("s1", () -> Optional.of("s1"));

    assertThatThrownBy(() ->
            read(
                key -> {
                  throw new EbbException.Corrupt("damaged");
                },
                snapshot))
        .hasMessage("damaged");
  }
}
