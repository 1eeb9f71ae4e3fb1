package dev.ebb.computeservice.provision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;

final class TemplatePointerTest {
  private static final String POINTER = "templates/postgresql-18.6/current";

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private long nowMs = 1_000_000;
  private int made;
  private final TemplatePointer pointer = new TemplatePointer(store, POINTER, clock());

  private Clock clock() {
    return new Clock() {
      @Override
      public ZoneId getZone() {
        return ZoneOffset.UTC;
      }

      @Override
      public Clock withZone(ZoneId zone) {
        return this;
      }

      @Override
      public Instant instant() {
        return Instant.ofEpochMilli(nowMs);
      }
    };
  }

  private String make() {
    String key = "branches/template" + ++made + "/manifests/a";
    store.put(key, new byte[] {1});
    return key;
  }

  private String named() {
    return new String(store.get(POINTER).orElseThrow().content(), StandardCharsets.UTF_8);
  }

  @Test
  void templateIsMadeOnce() {
    assertThat(pointer.ensure(this::make)).isEqualTo("branches/template1/manifests/a");
    assertThat(pointer.ensure(this::make)).isEqualTo("branches/template1/manifests/a");
    assertThat(made).isEqualTo(1);
  }

  @Test
  void templateOfAHostThatWasFasterIsTaken() {
    String key =
        pointer.ensure(() -> {
          store.put("branches/theirs/manifests/a", new byte[] {1});
          store.put(POINTER, "branches/theirs/manifests/a".getBytes(StandardCharsets.UTF_8));
          return make();
        });

    assertThat(key).isEqualTo("branches/theirs/manifests/a");
  }

  @Test
  void templateThatTookLongIsNotNamedButMadeAgain() {
    String key =
        pointer.ensure(() -> {
          nowMs += made == 0 ? TemplatePointer.MAX_AGE_MS + 1 : 1;
          return make();
        });

    assertThat(key).isEqualTo("branches/template2/manifests/a");
    assertThat(named()).isEqualTo(key);
    assertThatThrownBy(() ->
            new TemplatePointer(store, "templates/slow/current", clock())
                .ensure(() -> {
                  nowMs += TemplatePointer.MAX_AGE_MS + 1;
                  return make();
                }))
        .isInstanceOf(EbbException.Unavailable.class);
    assertThat(store.get("templates/slow/current")).isEmpty();
  }

  @Test
  void templateThatIsNamedButGoneIsMadeAgain() {
    String lost = pointer.ensure(this::make);
    store.delete(lost);

    assertThat(pointer.ensure(this::make)).isEqualTo("branches/template2/manifests/a");
    assertThat(named()).isEqualTo("branches/template2/manifests/a");
  }
}
