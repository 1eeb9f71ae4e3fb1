package dev.ebb.shared.store;

final class InMemoryObjectStoreTest extends ObjectStoreContract {
  private final NotClosed store = new NotClosed(new InMemoryObjectStore());

  @Override
  ObjectStore open() {
    return store.inner();
  }

  private record NotClosed(InMemoryObjectStore inner) {}
}
