package dev.ebb.launcher.up;

import io.vertx.core.Deployable;

/** Makes services from the configuration: the only place that knows all of them. */
@SuppressWarnings("DoNotCallSuggester")
final class ServiceFactory {
  private final Foundation foundation;

  ServiceFactory(Foundation foundation) {
    this.foundation = foundation;
  }

  Deployable page() {
    throw new UnsupportedOperationException("page " + foundation.directory());
  }

  Deployable wal() {
    throw new UnsupportedOperationException("wal");
  }

  Deployable compute() {
    throw new UnsupportedOperationException("compute");
  }

  Deployable gateway() {
    throw new UnsupportedOperationException("gateway");
  }

  Deployable api() {
    throw new UnsupportedOperationException("api");
  }

  Deployable scaler() {
    throw new UnsupportedOperationException("scaler");
  }
}
