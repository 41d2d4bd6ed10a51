// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {ERC1155Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC1155/ERC1155Upgradeable.sol";
import {
    ERC1155SupplyUpgradeable
} from "@openzeppelin/contracts-upgradeable/token/ERC1155/extensions/ERC1155SupplyUpgradeable.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {CollectionParameters, Minters} from "./Minters.sol";

/// @title A collection of tokens that exist in amounts
/// @notice `safeMint` and `safeMintBatch` are those of Immutable's preset; `safeMintMany` serves many recipients at
/// once. Every mint asks a recipient that is a contract whether it takes the tokens (ERC-1155), so one that refuses
/// stops its batch. A batch is applied whole or not at all; an error that concerns one line names it, counted from 0.
/// @dev Made to be cloned (ERC-1167).
contract MoneyerERC1155 is ERC1155SupplyUpgradeable, Minters {
    using Strings for uint256;

    /// @notice `values[i]` of the id `ids[i]` for `to`.
    struct MintTo {
        address to;
        uint256[] ids;
        uint256[] values;
    }

    /// @notice The collection's name.
    string public name;

    /// @notice The collection's ticker.
    string public symbol;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets a clone up. Works once; the factory calls it in the transaction that creates the clone.
    function initialize(CollectionParameters calldata parameters) external initializer {
        __ERC1155_init("");
        __Minters_init(parameters);
        name = parameters.name;
        symbol = parameters.symbol;
    }

    /// @notice Mints `value` of `id` to `to`. Only a minter.
    function safeMint(address to, uint256 id, uint256 value, bytes calldata data) external onlyRole(MINTER_ROLE) {
        _requireRecipient(0, to);
        if (value == 0) revert QuantityZero(0);
        _mint(to, id, value, data);
    }

    /// @notice Mints `values[i]` of `ids[i]` to `to`. Only a minter.
    function safeMintBatch(
        address to,
        uint256[] calldata ids,
        uint256[] calldata values,
        bytes calldata data
    ) external onlyRole(MINTER_ROLE) {
        _mintLine(0, to, ids, values, data);
    }

    /// @notice Does `safeMintBatch` for every line, with the same data. Only a minter.
    function safeMintMany(MintTo[] calldata lines, bytes calldata data) external onlyRole(MINTER_ROLE) {
        for (uint256 line = 0; line < lines.length; ++line) {
            _mintLine(line, lines[line].to, lines[line].ids, lines[line].values, data);
        }
    }

    /// @notice Burns `value` of `id` that `holder` has. Only the holder, or whom the holder approved.
    function burn(address holder, uint256 id, uint256 value) external {
        if (holder != _msgSender() && !isApprovedForAll(holder, _msgSender())) {
            revert ERC1155MissingApprovalForAll(_msgSender(), holder);
        }
        _burn(holder, id, value);
    }

    /// @notice Where the metadata of `id` is: the base address followed by the id in decimal.
    function uri(uint256 id) public view override returns (string memory) {
        return string.concat(baseURI(), id.toString());
    }

    /// @notice As ERC-165.
    function supportsInterface(
        bytes4 interfaceId
    ) public view override(ERC1155Upgradeable, AccessControlUpgradeable) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    function _mintLine(
        uint256 line,
        address to,
        uint256[] calldata ids,
        uint256[] calldata values,
        bytes calldata data
    ) private {
        _requireRecipient(line, to);
        if (ids.length != values.length) revert LengthMismatch(line);
        for (uint256 i = 0; i < values.length; ++i) {
            if (values[i] == 0) revert QuantityZero(line);
        }
        _mintBatch(to, ids, values, data);
    }
}
