// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

/// @title An owner who names agents (the agent role of ERC-3643)
/// @notice The owner decides who is an agent and what the contract's settings are; agents do the daily work.
/// The owner is not an agent unless it is added.
abstract contract Agents is OwnableUpgradeable {
    mapping(address account => bool) private _agents;

    /// @notice `agent` may act from now on.
    event AgentAdded(address indexed agent);

    /// @notice `agent` may no longer act.
    event AgentRemoved(address indexed agent);

    /// @notice The caller lacks the agent role.
    error NotAgent(address caller);

    /// @notice The zero address was given where somebody is needed.
    error AddressZero();

    modifier onlyAgent() {
        if (!_agents[_msgSender()]) revert NotAgent(_msgSender());
        _;
    }

    /// @notice Makes `agent` an agent. Repeating it changes nothing. Only the owner.
    function addAgent(address agent) external onlyOwner {
        _addAgent(agent);
    }

    /// @notice Takes the agent role from `agent`. Repeating it changes nothing. Only the owner.
    function removeAgent(address agent) external onlyOwner {
        if (!_agents[agent]) return;
        _agents[agent] = false;
        emit AgentRemoved(agent);
    }

    /// @notice Whether `account` holds the agent role.
    function isAgent(address account) external view returns (bool) {
        return _agents[account];
    }

    function _addAgent(address agent) internal {
        if (agent == address(0)) revert AddressZero();
        if (_agents[agent]) return;
        _agents[agent] = true;
        emit AgentAdded(agent);
    }
}
