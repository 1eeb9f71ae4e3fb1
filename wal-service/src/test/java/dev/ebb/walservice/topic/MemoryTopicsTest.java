package dev.ebb.walservice.topic;

class MemoryTopicsTest extends LogTopicsContract {
  private final MemoryTopics topics = new MemoryTopics();

  @Override
  LogTopics topics() {
    return topics;
  }
}
