// SPDX-License-Identifier: Apache-2.0
#pragma once
// The handle on a bound worker. Destroying it kills the worker, at any time, without a word to the listener.

#include "process/worker.hpp"

namespace hks::runtime {

class ProcessInstance final : public Instance {
  public:
    explicit ProcessInstance(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) {}
    ~ProcessInstance() override { worker_->abandon(); }

    void send(Call& call) override { worker_->send(call); }
    void cancel(Call& call) override { worker_->cancel(call); }
    void consumed(Call& call, size_t bytes) override { worker_->consumed(call, bytes); }
    void drain(milliseconds grace) override { worker_->drain(grace); }
    void kill(const std::string& reason) override { worker_->kill(reason); }
    bool has_started(const Call& call) const override { return worker_->has_started(call); }
    size_t outstanding() const override { return worker_->outstanding(); }
    uint64_t serial() const override { return worker_->serial(); }
    int pid() const override { return worker_->pid(); }

  private:
    std::shared_ptr<Worker> worker_;
};

}  // namespace hks::runtime
